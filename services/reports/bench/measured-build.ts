/**
 * Runs one `report.build` in this process, with the handler, modules and storage that the service has, on the memory
 * broker; prints what it took as a line of JSON. Its parent gives it the payload and the environment of the service.
 *
 *   node measured-build.js '<payload>'
 */
import 'reflect-metadata';
import { createTestRail } from 'jobrail/testing';
import { BuildReportHandler } from '../src/build-report.js';
import { readConfig } from '../src/config.js';
import { BuildReport } from '../src/jobs.js';
import { openReports } from '../src/reports-module.js';

export interface MeasuredBuild {
  seconds: number;
  /** Resident memory, in MB of 1,000,000 bytes: with everything loaded before the job, and at its highest. */
  idleMb: number;
  peakMb: number;
  /** The error, when the job did not complete. */
  failure?: string;
}

const reports = await openReports(readConfig(process.env));
const rail = await createTestRail({ handlers: [BuildReportHandler], modules: [reports.module] });
const idleMb = process.memoryUsage.rss() / 1e6;
const begun = performance.now();
await rail.enqueue(BuildReport, JSON.parse(process.argv[2] ?? '{}') as never);
await rail.drain();
const seconds = (performance.now() - begun) / 1_000;
const [failed] = [...rail.dead, ...rail.retried];
const failure = failed && 'error' in failed.outcome ? failed.outcome.error.message : undefined;
const peakMb = (process.resourceUsage().maxRSS * 1_024) / 1e6;
console.log(JSON.stringify({ seconds, idleMb, peakMb, failure } satisfies MeasuredBuild));
await rail.close();
await reports.close();
