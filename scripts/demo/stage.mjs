import { once } from 'node:events';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openStorage } from '@jobrail/storage';
import { ROOT } from '../bring-up.mjs';
import { ApiClient } from './api-client.mjs';
import { JobBoard } from './job-board.mjs';
import { MailServer } from './mail-server.mjs';
import { openRail } from './rail.mjs';
import { serviceSettings } from './service-settings.mjs';
import { TraceReceiver } from './trace-receiver.mjs';
import { unlessAborted } from './unless-aborted.mjs';
/** @import { Rail } from './rail.mjs' */
/** @import { Services } from './service-processes.mjs' */

const RUNS_KEPT = 4;

/**
 * @typedef {object} Stage Everything the demo plays on.
 * @property {string} folder Of this run: `files/` (the storage), `mails/`, `logs/`.
 * @property {JobBoard} board
 * @property {Rail} rail
 * @property {import('@jobrail/storage').Storage} storage
 * @property {MailServer} mailServer
 * @property {TraceReceiver} traces
 * @property {ApiClient} api
 * @property {AbortSignal} signal Aborted when the demo is interrupted, or a service has ended unasked.
 * @property {() => Promise<void>} close Ends the services, then what they used. Only the folder is left.
 */

/**
 * @typedef {object} StageOptions
 * @property {number} port Of the api; 0 is a free one.
 * @property {AbortSignal} interrupted
 * @property {(line: string) => void} note Told what takes long.
 */

/**
 * @param {StageOptions} options
 * @returns {Promise<Stage>}
 * @throws {Error} what is wrong, or the reason of `interrupted`; nothing is left open.
 */
export async function openStage({ port, interrupted, note }) {
  const failed = new AbortController();
  const signal = AbortSignal.any([interrupted, failed.signal]);
  const board = new JobBoard();
  /** @type {{ close: () => Promise<unknown> }[]} */
  const open = [];
  /** @template {{ close: () => Promise<unknown> }} Part @param {Part} part */
  const keep = (part) => (open.push(part), part);
  const close = async () => {
    for (let part = open.pop(); part; part = open.pop()) await part.close();
  };
  try {
    await demandFreePort(port);
    const folder = await makeFolder();
    const storageUrl = pathToFileURL(join(folder, 'files')).href;
    const mailServer = keep(await MailServer.listen(join(folder, 'mails')));
    const traces = keep(await TraceReceiver.listen());
    // Who does not wait for a broker that is starting leaves it to the watchdog, which ends it with this process.
    const rail = keep(await unlessAborted(openRail(note), signal));
    const { prefix, url: amqpUrl } = rail;
    const urls = { amqpUrl, storageUrl, smtpUrl: mailServer.url, tracesUrl: traces.url };
    const services = keep(
      await startServices(rail, {
        settings: serviceSettings({ ...urls, prefix, port }),
        logFolder: join(folder, 'logs'),
        onLine: (line) => board.logLine(line),
        onEnded: (error) => failed.abort(error),
        signal,
      }),
    );
    const api = new ApiClient(`http://127.0.0.1:${services.port}`);
    return { folder, board, rail, storage: openStorage(storageUrl), mailServer, traces, api, signal, close };
  } catch (error) {
    await close();
    throw signal.aborted ? signal.reason : error;
  }
}

/**
 * As processes; in this one where the broker is in its memory.
 *
 * @param {Rail} rail
 * @param {Parameters<typeof import('./service-processes.mjs').startProcesses>[0]} options
 * @returns {Promise<Services>}
 */
async function startServices({ connect }, options) {
  if (connect) {
    const { startInProcess } = await import('./in-process.mjs');
    return startInProcess({ ...options, connect });
  }
  const { startProcesses } = await import('./service-processes.mjs');
  return startProcesses(options);
}

/** Before anything is started for nothing. @param {number} port */
async function demandFreePort(port) {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening').catch((/** @type {unknown} */ error) => {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    const why = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be listened on (${code})`;
    throw new Error(`Port ${port} ${why}. Choose another with --port, or leave it out.`);
  });
  await new Promise((resolve) => server.close(resolve));
}

/** A folder of its own for each run, named for its time here. The runs before the last few are removed. */
async function makeFolder() {
  const runs = join(ROOT, '.demo');
  await mkdir(runs, { recursive: true });
  const old = (await readdir(runs)).sort().slice(0, -RUNS_KEPT);
  await Promise.all(old.map((name) => rm(join(runs, name), { recursive: true, force: true })));

  const now = new Date();
  const local = new Date(now.getTime() - now.getTimezoneOffset() * 60_000);
  const name = local.toISOString().slice(0, 23).replace('T', '_').replaceAll(/[:.]/g, '-');
  const folder = join(runs, name);
  await mkdir(join(folder, 'logs'), { recursive: true });
  return folder;
}
