import { MediaError } from '../media-error.js';
import type { ProgramRun } from './run-program.js';

/** What the machine is to blame for, in the words of libc. Asked first: ffmpeg goes on to blame the file as well. */
const machineAtFault =
  /No space left on device|Disk quota exceeded|Cannot allocate memory|Permission denied|Input\/output error|Too many open files|Resource temporarily unavailable|Read-only file system/;

/** What the file is to blame for, in the words of ffmpeg 4 to 8. */
const fileAtFault =
  /Invalid data found when processing input|Error while decoding|Error submitting packet to decoder|moov atom not found|could not find codec parameters|Decoder .*not found|Decoding requested, but no decoder found|Picture size .* is invalid|does not contain any stream|matches no streams/i;

const pixelLimit = /Picture size (\d+)x(\d+) exceeds specified max pixel count (\d+)/;

/** The error for frames that are larger than accepted. */
export function tooManyPixels(size: string, maxPixels: string | number): MediaError {
  return new MediaError(
    'MEDIA_TOO_MANY_PIXELS',
    `The video has frames of ${size} pixels; at most ${maxPixels} are decoded.`,
    { mend: 'Store a smaller video, or raise MEDIA_MAX_PIXELS and the memory of the service with it.' },
  );
}

/** The error for the complaint that ffmpeg makes about frames beyond `-max_pixels`, when that is among its complaints. */
export function pixelLimitFailure(errorTail: string): MediaError | undefined {
  const [, width, height, limit] = pixelLimit.exec(errorTail) ?? [];
  return limit === undefined ? undefined : tooManyPixels(`${width}×${height}`, limit);
}

/** What it means that ffmpeg ended without success: a permanent error of the video, or `MEDIA_FFMPEG_FAILED` to retry. */
export function ffmpegFailure(run: ProgramRun): MediaError {
  const ended = `ffmpeg ended with ${endOf(run)}: ${run.errorTail || 'it said nothing'}.`;
  const tooLarge = pixelLimitFailure(run.errorTail);
  if (tooLarge) return tooLarge;
  if (run.killedBy === null && !machineAtFault.test(run.errorTail) && fileAtFault.test(run.errorTail)) {
    return new MediaError('MEDIA_VIDEO_DAMAGED', ended, { mend: 'The video is corrupt: upload it again.' });
  }
  return new MediaError('MEDIA_FFMPEG_FAILED', ended, {
    mend: 'Look at memory, disk space and the TMPDIR of the service; the job is tried again.',
  });
}

/**
 * For the `catch` of a program that may not have started.
 * @throws MediaError (`MEDIA_FFMPEG_FAILED`) for an error of the system call; anything else as it is.
 */
export function notStarted(cause: unknown): never {
  if (!(cause instanceof Error && 'syscall' in cause)) throw cause;
  throw new MediaError('MEDIA_FFMPEG_FAILED', `ffmpeg could not be started: ${cause.message}.`, {
    mend: 'See whether it is still installed and whether the machine has processes and memory left; the job is tried again.',
    cause,
  });
}

/** How a program ended, for messages. */
export function endOf({ exitCode, killedBy }: ProgramRun): string {
  return killedBy === null ? `exit code ${exitCode}` : `signal ${killedBy}`;
}
