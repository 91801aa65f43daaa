/** Memory of a process at a moment. */
export interface MemorySample {
  process: string;
  /** Counted from the end of the warm-up, so before it negative. */
  minute: number;
  /** Resident set. */
  bytes: number;
}

/** So far the median of a minute may lie from the middle of all minutes. */
const tolerance = 0.1;

/** A sentence for each process whose memory was not flat. Minutes before 0 are the warm-up and left out. */
export function flatness(samples: readonly MemorySample[]): string[] {
  return [...byProcess(samples)].flatMap(([process, minutes]) => {
    const { lowest, highest, deviation } = spread(minutes);
    if (deviation <= tolerance) return [];
    return [`memory of ${process} went from ${mib(lowest)} to ${mib(highest)}: ± ${percent(deviation)}`];
  });
}

/** Medians of first and last minute, the lowest and the highest, for people, in Markdown. */
export function memoryTable(samples: readonly MemorySample[]): string {
  const rows = [...byProcess(samples)].map(([process, minutes]) => {
    const { lowest, highest, deviation } = spread(minutes);
    const cells = [minutes[0]!, minutes.at(-1)!, lowest, highest].map(mib);
    return `| ${[process, minutes.length, ...cells, `± ${percent(deviation)}`].join(' | ')} |`;
  });
  return [
    '| process | minutes | RSS in the first | in the last | lowest | highest | around the middle |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}

function spread(minutes: readonly number[]) {
  const lowest = Math.min(...minutes);
  const highest = Math.max(...minutes);
  return { lowest, highest, deviation: (highest - lowest) / (highest + lowest) };
}

/** Each process with the median of each of its minutes, in order. */
function byProcess(samples: readonly MemorySample[]): Map<string, number[]> {
  const minutesOf = new Map<string, number[][]>();
  for (const { process, minute, bytes } of samples) {
    if (minute < 0) continue;
    let minutes = minutesOf.get(process);
    if (!minutes) minutesOf.set(process, (minutes = []));
    (minutes[minute] ??= []).push(bytes);
  }
  return new Map(
    [...minutesOf].map(([process, minutes]) => [process, minutes.filter(() => true).map(median)]),
  );
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
