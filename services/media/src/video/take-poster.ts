import { stat } from 'node:fs/promises';
import { MediaError } from '../media-error.js';
import type { Ffmpeg } from './ffmpeg.js';
import { inputArguments } from './input-arguments.js';
import { probeVideo } from './probe-video.js';

/** The encoder that `takePoster` needs ffmpeg to have. */
export const posterEncoders = ['png'];

export interface PosterOptions {
  /** Seconds from the start. */
  at?: number | undefined;
  maxPixels: number;
  signal: AbortSignal;
}

/**
 * Writes one frame of a video as a PNG file, upright as the recording device meant it.
 * @throws MediaError `MEDIA_BEYOND_END`, and those of `probeVideo` and `Ffmpeg.run`; the signal's reason.
 */
export async function takePoster(
  ffmpeg: Ffmpeg,
  { source, target }: { source: string; target: string },
  { at, maxPixels, signal }: PosterOptions,
): Promise<void> {
  const { demuxer, duration, frameInterval } = await probeVideo(ffmpeg, source, { maxPixels, signal });
  if (at !== undefined && duration !== undefined && at > duration) throw beyondEnd(at, `${duration} s long`);
  const wanted = at ?? Math.min(3, (duration ?? 0) / 10);
  // The last frame starts an interval before the end; what is asked for after its start means that frame.
  const position =
    duration === undefined ? wanted : Math.max(0, Math.min(wanted, duration - 1.5 * frameInterval));
  await ffmpeg.run(
    [
      ...['-ss', position.toFixed(3)],
      ...inputArguments(source, { maxPixels, demuxer }),
      ...['-map', '0:V:0', '-frames:v', '1', '-f', 'image2', '-update', '1', '-c:v', 'png', `file:${target}`],
    ],
    { signal },
  );
  const written = await stat(target).catch(() => undefined);
  if (!written || written.size === 0) throw beyondEnd(wanted, 'over before that');
}

function beyondEnd(at: number, end: string): MediaError {
  return new MediaError('MEDIA_BEYOND_END', `There is no frame at ${at} s: the video is ${end}.`, {
    mend: 'Ask for an earlier position, or leave "at" out.',
  });
}
