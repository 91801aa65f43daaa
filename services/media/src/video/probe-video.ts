import { z } from 'zod';
import { MediaError } from '../media-error.js';
import type { Ffmpeg } from './ffmpeg.js';
import { pixelLimitFailure, tooManyPixels } from './ffmpeg-failure.js';
import { acceptedVideoFormats, inputArguments } from './input-arguments.js';

/** What is known of a video before it is decoded. */
export interface VideoFacts {
  /** ffmpeg's name of the container, to force on the later run. */
  demuxer: string;
  /** Seconds; undefined for recordings that were never closed, such as those of browsers. */
  duration: number | undefined;
  /** Seconds between two frames, on average. */
  frameInterval: number;
}

const seconds = z.coerce.number().nonnegative().optional().catch(undefined);

const Report = z.object({
  error: z.object({ code: z.number(), string: z.string() }).optional(),
  format: z.object({ format_name: z.string(), duration: seconds }).optional(),
  streams: z
    .array(
      z.object({
        codec_type: z.string().optional(),
        codec_name: z.string().default('unknown'),
        width: z.number().default(0),
        height: z.number().default(0),
        avg_frame_rate: z.string().default('0/0'),
        duration: seconds,
        disposition: z.object({ attached_pic: z.number() }).optional(),
      }),
    )
    .default([]),
});
type Report = z.output<typeof Report>;

/**
 * Reads the headers of a video.
 * @throws MediaError `MEDIA_NOT_A_VIDEO`, `MEDIA_VIDEO_DAMAGED`, `MEDIA_TOO_MANY_PIXELS`, `MEDIA_FFMPEG_FAILED`; the
 * signal's reason.
 */
export async function probeVideo(
  ffmpeg: Ffmpeg,
  path: string,
  { maxPixels, signal }: { maxPixels: number; signal: AbortSignal },
): Promise<VideoFacts> {
  const entries =
    'format=format_name,duration:' +
    'stream=codec_type,codec_name,width,height,avg_frame_rate,duration:stream_disposition=attached_pic';
  const args = [
    '-show_error',
    '-show_entries',
    entries,
    '-of',
    'json',
    ...inputArguments(path, { maxPixels }),
  ];
  const run = await ffmpeg.probe(args, { signal });
  const tooLarge = pixelLimitFailure(run.errorTail);
  if (tooLarge) throw tooLarge;
  const report = parse(run.output);
  if (report?.error) throw unreadable(report.error, run.errorTail);
  if (!report?.format || run.exitCode !== 0) {
    throw new MediaError(
      'MEDIA_FFMPEG_FAILED',
      `ffprobe gave no report (${run.errorTail || 'it said nothing'}).`,
      {
        mend: 'Look at memory and at the ffmpeg installation; the job is tried again.',
      },
    );
  }
  return factsOf(report, report.format, maxPixels);
}

function factsOf(report: Report, format: NonNullable<Report['format']>, maxPixels: number): VideoFacts {
  // The cover picture of a sound file is a video stream too, by ffmpeg's count.
  const video = report.streams.find((s) => s.codec_type === 'video' && s.disposition?.attached_pic !== 1);
  if (!video) {
    const seen =
      report.streams.map((s) => `${s.codec_type ?? 'data'} (${s.codec_name})`).join(', ') || 'nothing';
    throw new MediaError('MEDIA_NOT_A_VIDEO', `The source has no picture to show, only ${seen}.`, {
      mend: 'Give the key of a video.',
    });
  }
  if (video.width * video.height > maxPixels) {
    throw tooManyPixels(`${video.width}×${video.height}`, maxPixels);
  }
  const [frames = 0, per = 0] = video.avg_frame_rate.split('/').map(Number);
  return {
    demuxer: format.format_name.split(',')[0] ?? format.format_name,
    duration: video.duration ?? format.duration,
    frameInterval: frames > 0 && per > 0 ? per / frames : 1 / 25,
  };
}

function parse(output: string): Report | undefined {
  try {
    return Report.parse(JSON.parse(output));
  } catch {
    return undefined;
  }
}

/** ffmpeg's code of "Invalid data found when processing input". */
const invalidData = -1_094_995_529;
/** The errno of "Invalid argument": what a format that is not accepted comes out as. */
const invalidArgument = -22;

function unreadable(error: { code: number; string: string }, errorTail: string): MediaError {
  // Other small negative codes are errnos: no such file, no memory, too many open files.
  if (error.code > -1_000 && error.code !== invalidArgument) {
    return new MediaError('MEDIA_FFMPEG_FAILED', `ffprobe could not read the source: ${error.string}.`, {
      mend: 'Look at disk, permissions and memory of the service; the job is tried again.',
    });
  }
  const named = /Format not on whitelist/.test(errorTail)
    ? (/^\[([\w,]+) @/m.exec(errorTail)?.[1] ?? 'other')
    : '';
  if (named) {
    return new MediaError(
      'MEDIA_NOT_A_VIDEO',
      `The source is of format "${named}"; expected ${acceptedVideoFormats}.`,
      {
        mend: 'Store the video itself, in one of these formats.',
      },
    );
  }
  // A demuxer that has recognised its format puts its name before its complaint; otherwise nothing was recognised.
  if (error.code === invalidData && !/^\[[\w,]+ @/m.test(errorTail)) {
    return new MediaError('MEDIA_NOT_A_VIDEO', `The source is no video; expected ${acceptedVideoFormats}.`, {
      mend: 'Store the video in one of these formats; the name of a file does not make it one.',
    });
  }
  return new MediaError('MEDIA_VIDEO_DAMAGED', `The video cannot be read: ${errorTail || error.string}.`, {
    mend: 'The file is cut short or corrupt: upload it again.',
  });
}
