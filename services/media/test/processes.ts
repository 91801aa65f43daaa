import { readdir, readFile } from 'node:fs/promises';

/** The ffmpeg processes that this process has running, by their command lines. */
export async function ffmpegChildren(): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(ids.map(commandOfChild));
  return commands.filter((command) => command.startsWith('ffmpeg '));
}

/** Empty for a process that is no child of this one, or is gone. */
async function commandOfChild(id: string): Promise<string> {
  try {
    const status = await readFile(`/proc/${id}/status`, 'utf8');
    if (!status.includes(`\nPPid:\t${process.pid}\n`)) return '';
    return (await readFile(`/proc/${id}/cmdline`, 'utf8')).replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
