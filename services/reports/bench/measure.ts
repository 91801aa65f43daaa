import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { MeasuredBuild } from './measured-build.js';
import { sampleQuery, writeSampleCsv } from './sample-rows.js';

/** As `npm start` has it: from Node 22 on the young generation grows to more than a report needs. */
const youngSpace = '--max-semi-space-size=16';

const child = fileURLToPath(new URL('measured-build.js', import.meta.url));

export interface Case {
  rows: number;
  source: 'csv' | 'postgres';
  format: 'csv' | 'xlsx' | 'pdf';
}

/** Builds reports of sample rows, each in a process of its own, in a temporary folder. */
export class Workbench {
  private constructor(
    private readonly folder: string,
    private readonly databaseUrl: string | undefined,
  ) {}

  /** @param databaseUrl for cases with source `postgres`; only a function is queried, no table made. */
  static async open(databaseUrl: string | undefined): Promise<Workbench> {
    const folder = await mkdtemp(join(tmpdir(), 'jobrail-reports-'));
    await mkdir(join(folder, 'files'));
    await mkdir(join(folder, 'queries'));
    await writeFile(join(folder, 'queries', 'sample.sql'), sampleQuery);
    return new Workbench(folder, databaseUrl);
  }

  /** @throws Error when the job did not complete. */
  async measure({ rows, source, format }: Case): Promise<MeasuredBuild & { outputMb: number }> {
    const input = `${rows}.csv`;
    const output = `out.${format}`;
    if (source === 'csv') await writeSampleCsv(join(this.folder, 'files', input), rows);
    const payload = {
      title: 'Sample',
      source:
        source === 'csv'
          ? { kind: 'csv', key: input }
          : { kind: 'postgres', query: 'sample', params: [rows] },
      format,
      outputKey: output,
    };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [youngSpace, child, JSON.stringify(payload)],
      {
        env: {
          PATH: process.env['PATH'],
          AMQP_URL: 'amqp://unused',
          STORAGE_URL: pathToFileURL(join(this.folder, 'files')).href,
          ...(this.databaseUrl !== undefined && {
            DATABASE_URL: this.databaseUrl,
            REPORTS_QUERIES: join(this.folder, 'queries'),
          }),
        },
      },
    );
    const measured = JSON.parse(stdout) as MeasuredBuild;
    if (measured.failure !== undefined) throw new Error(measured.failure);
    const { size } = await stat(join(this.folder, 'files', output));
    return { ...measured, outputMb: size / 1e6 };
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
