import { MediaError } from '../media-error.js';
import { type EncodingProgress, encodingProgressReader } from './encoding-progress.js';
import { endOf, ffmpegFailure, notStarted } from './ffmpeg-failure.js';
import { type ProgramRun, runProgram } from './run-program.js';

export interface FfmpegPrograms {
  /** Name on PATH, or a path. */
  ffmpeg: string;
  ffprobe: string;
}

/** ffmpeg and ffprobe, as programs of this machine. */
export class Ffmpeg {
  constructor(private readonly programs: FfmpegPrograms) {}

  /**
   * Makes sure, at start, that both programs run and can write what the handlers need.
   * @throws MediaError (`MEDIA_FFMPEG_UNUSABLE`).
   */
  async check({ encoders }: { encoders: readonly string[] }): Promise<void> {
    await this.#tryRun(this.programs.ffprobe, 'FFPROBE_PATH', ['-v', 'error', '-version']);
    const listed = await this.#tryRun(this.programs.ffmpeg, 'FFMPEG_PATH', ['-v', 'error', '-encoders']);
    const available = new Set(listed.map((line) => line.trim().split(/\s+/)[1]));
    const missing = encoders.filter((encoder) => !available.has(encoder));
    if (missing.length > 0) {
      throw new MediaError(
        'MEDIA_FFMPEG_UNUSABLE',
        `"${this.programs.ffmpeg}" is built without the encoders ${missing.join(', ')}.`,
        { mend: 'Install a full build (Debian: apt-get install ffmpeg), or name it in FFMPEG_PATH.' },
      );
    }
  }

  /**
   * Runs ffmpeg to its end.
   * @returns how many seconds it has written.
   * @throws MediaError (`MEDIA_VIDEO_DAMAGED` permanent, `MEDIA_FFMPEG_FAILED` to retry), with the end of its error
   * output; the signal's reason, once the process is gone.
   */
  async run(
    args: readonly string[],
    { signal, onProgress }: { signal: AbortSignal; onProgress?: (progress: EncodingProgress) => void },
  ): Promise<number> {
    let seconds = 0;
    const onLine = encodingProgressReader((progress) => {
      seconds = progress.seconds;
      onProgress?.(progress);
    });
    const quiet = ['-hide_banner', '-nostdin', '-v', 'error', '-progress', 'pipe:1', '-y'];
    const run = await runProgram(this.programs.ffmpeg, [...quiet, ...args], { signal, onLine }).catch(
      notStarted,
    );
    if (run.exitCode !== 0) throw ffmpegFailure(run);
    return seconds;
  }

  /**
   * Runs ffprobe to its end, whatever it found.
   * @returns its output and how it ended.
   * @throws MediaError (`MEDIA_FFMPEG_FAILED`) when it could not be started; the signal's reason.
   */
  async probe(
    args: readonly string[],
    { signal }: { signal: AbortSignal },
  ): Promise<ProgramRun & { output: string }> {
    const lines: string[] = [];
    const onLine = (line: string): void => void lines.push(line);
    const run = await runProgram(this.programs.ffprobe, ['-hide_banner', '-v', 'error', ...args], {
      signal,
      onLine,
    }).catch(notStarted);
    return { ...run, output: lines.join('\n') };
  }

  async #tryRun(program: string, variable: string, args: readonly string[]): Promise<string[]> {
    const lines: string[] = [];
    const run = await runProgram(program, args, { onLine: (line) => lines.push(line) }).catch(
      (cause: unknown) => {
        throw new MediaError('MEDIA_FFMPEG_UNUSABLE', `"${program}" cannot be started: ${String(cause)}.`, {
          mend: `Install it (Debian: apt-get install ffmpeg), give its path in ${variable}, or take the video handlers out of MEDIA_HANDLERS.`,
          cause,
        });
      },
    );
    if (run.exitCode === 0) return lines;
    throw new MediaError(
      'MEDIA_FFMPEG_UNUSABLE',
      `"${program}" ended with ${endOf(run)}: ${run.errorTail}.`,
      {
        mend: `Repair the installation, or give another path in ${variable}.`,
      },
    );
  }
}
