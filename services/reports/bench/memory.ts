/**
 * How much memory a large report takes. Each case runs in a process of its own; PostgreSQL cases need DATABASE_URL.
 *
 *   node dist/bench/memory.js [rows]       default 1,000,000
 */
import { type Case, Workbench } from './measure.js';

const rows = Number(process.argv[2] ?? 1_000_000);
const databaseUrl = process.env['DATABASE_URL'];
const sources: Case['source'][] = databaseUrl === undefined ? ['csv'] : ['csv', 'postgres'];
const cases: Case[] = [
  ...sources.flatMap((source) => (['csv', 'xlsx'] as const).map((format) => ({ rows, source, format }))),
  { rows: Math.min(rows, 20_000), source: 'csv', format: 'pdf' },
];
const bench = await Workbench.open(databaseUrl);
const results: Record<string, string | number>[] = [];
try {
  for (const one of cases) {
    const { peakMb, idleMb, seconds, outputMb } = await bench.measure(one);
    results.push({
      ...one,
      'peak RSS MB': rounded(peakMb),
      'idle RSS MB': rounded(idleMb),
      seconds: rounded(seconds),
      'output MB': rounded(outputMb),
    });
  }
} finally {
  await bench.close();
}
console.table(results);
console.log(JSON.stringify(results));

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
