import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface VideoOptions {
  seconds: number;
  width?: number;
  height?: number;
  /** A tone beside the picture. */
  sound?: boolean;
  /** Further arguments before the output, such as metadata. */
  extra?: string[];
}

/** Makes a real video of ffmpeg's test pattern, which has a running clock in it. The container follows the path's ending. */
export async function makeVideo(path: string, options: VideoOptions): Promise<void> {
  const { seconds, width = 320, height = 240, sound = false, extra = [] } = options;
  const tone = ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`];
  await ffmpeg([
    ...['-f', 'lavfi', '-i', `testsrc=duration=${seconds}:size=${width}x${height}:rate=25`],
    ...(sound ? tone : []),
    ...(path.endsWith('.webm') ? ['-c:v', 'libvpx', '-b:v', '500k'] : ['-preset', 'ultrafast']),
    ...['-pix_fmt', 'yuv420p', ...extra, path],
  ]);
}

export async function ffmpeg(args: string[]): Promise<void> {
  await run('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args]);
}

/** Copies a video with the mark of a camera that was turned by 90 degrees. */
export async function turnVideo(source: string, target: string): Promise<void> {
  const since6 = ['-display_rotation:v:0', '90', '-i', source, '-c', 'copy', target];
  const before6 = ['-i', source, '-c', 'copy', '-metadata:s:v', 'rotate=90', target];
  await ffmpeg(since6).catch(() => ffmpeg(before6));
}

/** What ffprobe says of a file, as `key=value` pairs of its streams and its format. */
export async function probed(
  path: string,
): Promise<{ streams: Record<string, unknown>[]; format: Record<string, unknown> }> {
  const { stdout } = await run('ffprobe', [
    '-v',
    'error',
    '-show_streams',
    '-show_format',
    '-of',
    'json',
    path,
  ]);
  return JSON.parse(stdout) as Awaited<ReturnType<typeof probed>>;
}
