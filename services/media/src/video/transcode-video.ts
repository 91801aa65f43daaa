import { MediaError } from '../media-error.js';
import type { Ffmpeg } from './ffmpeg.js';
import { inputArguments } from './input-arguments.js';
import { probeVideo } from './probe-video.js';

export type VideoFormat = 'mp4' | 'webm';

/** What each format is made with: codecs that browsers play, at settings that favour a fair encoding time. */
const codecs: Record<VideoFormat, string[]> = {
  mp4: [
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-profile:v', 'high'],
    ...['-c:a', 'aac', '-b:a', '128k'],
    // The index in front, so that playing starts before all is loaded.
    ...['-movflags', '+faststart', '-f', 'mp4'],
  ],
  webm: [
    ...[
      '-c:v',
      'libvpx-vp9',
      '-crf',
      '32',
      '-b:v',
      '0',
      '-deadline',
      'good',
      '-cpu-used',
      '4',
      '-row-mt',
      '1',
    ],
    ...['-c:a', 'libopus', '-b:a', '96k', '-f', 'webm'],
  ],
};

/** The encoders that `transcodeVideo` needs ffmpeg to have. */
export const transcodeEncoders = ['libx264', 'aac', 'libvpx-vp9', 'libopus'];

export interface TranscodeOptions {
  format: VideoFormat;
  /** Pixels; a lower video keeps its height. */
  height?: number | undefined;
  maxPixels: number;
  signal: AbortSignal;
  /** @param fraction 0 to 1, undefined when the duration is unknown. @param seconds how much is encoded. */
  onProgress: (fraction: number | undefined, seconds: number) => void;
}

/**
 * Re-encodes the first picture and the first sound of a video for the web. Metadata (where and with what it was
 * recorded), chapters, subtitles and attachments are left behind.
 * @throws MediaError `MEDIA_VIDEO_DAMAGED` also when the result turns out clearly shorter than the source, which is
 * how ffmpeg ends a file that is cut off: with success. Those of `probeVideo` and `Ffmpeg.run`; the signal's reason.
 */
export async function transcodeVideo(
  ffmpeg: Ffmpeg,
  { source, target }: { source: string; target: string },
  { format, height, maxPixels, signal, onProgress }: TranscodeOptions,
): Promise<void> {
  const { demuxer, duration } = await probeVideo(ffmpeg, source, { maxPixels, signal });
  const encoded = await ffmpeg.run(
    [
      ...inputArguments(source, { maxPixels, demuxer }),
      ...['-map', '0:V:0', '-map', '0:a:0?', '-map_metadata', '-1', '-map_chapters', '-1'],
      ...['-vf', evenScale(height), '-pix_fmt', 'yuv420p', '-ac', '2'],
      ...[...codecs[format], `file:${target}`],
    ],
    { signal, onProgress: ({ seconds }) => onProgress(fractionOf(seconds, duration), seconds) },
  );
  // Containers round their durations, and sound may end before the picture; a second and 5 % are allowed for it.
  if (duration !== undefined && encoded < duration * 0.95 - 1) {
    throw new MediaError(
      'MEDIA_VIDEO_DAMAGED',
      `Only ${encoded.toFixed(1)} of ${duration.toFixed(1)} s of the video could be decoded.`,
      { mend: 'The file is cut short or corrupt: upload it again.' },
    );
  }
}

/** 4:2:0 colour needs even sides, whatever the source has. */
function evenScale(height: number | undefined): string {
  const rows = height === undefined ? 'ih' : `min(${height},ih)`;
  return `scale=w=-2:h='max(2,trunc(${rows}/2)*2)'`;
}

function fractionOf(seconds: number, duration: number | undefined): number | undefined {
  return duration ? Math.min(1, seconds / duration) : undefined;
}
