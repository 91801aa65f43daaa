/** How far an encoding is. */
export interface EncodingProgress {
  /** Of the output, from its start. */
  seconds: number;
  /** True once, at the end. */
  ended: boolean;
}

/**
 * Reads what `ffmpeg -progress` writes: blocks of `key=value` lines, each closed by `progress=continue` or
 * `progress=end`. Feed it line by line.
 */
export function encodingProgressReader(report: (progress: EncodingProgress) => void): (line: string) => void {
  let seconds = 0;
  return (line) => {
    const at = line.indexOf('=');
    const key = line.slice(0, at);
    const value = line.slice(at + 1).trim();
    // Microseconds. Before the first packet it is "N/A", or hugely negative in old versions: time never goes back.
    if (key === 'out_time_us') {
      const microseconds = Number(value);
      if (microseconds > seconds * 1e6) seconds = microseconds / 1e6;
    } else if (key === 'progress') {
      report({ seconds, ended: value === 'end' });
    }
  };
}
