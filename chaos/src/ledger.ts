import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';

/**
 * What a ledger records.
 *
 * A producer writes `intent` before it enqueues and then `confirmed`, `maybe` (rejected, may have been accepted all the
 * same) or `refused` (rejected, certainly not accepted). A worker writes `started` when the handler is called and
 * `completed`, `failed` or `snoozed` when it returns. A handler that does not return writes nothing more. `postponed` is a job
 * that came back later although no handler asked for it.
 */
export type What =
  'intent' | 'confirmed' | 'maybe' | 'refused' | 'started' | 'completed' | 'failed' | 'snoozed' | 'postponed';

export interface LedgerEvent {
  /** Milliseconds since 1970. */
  at: number;
  what: What;
  id: string;
  /** Of a worker: the attempt, from 1. Of a producer: 0. */
  attempt: number;
  /** The process that wrote it. A process that was restarted under the same name has another pid. */
  by: string;
  pid: number;
}

/**
 * The record of one process, independent of Jobrail and of the broker. Each event is one line, written to the kernel by
 * one call before the call returns, so all that was recorded survives a SIGKILL.
 */
export class Ledger {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(what: What, id: string, attempt = 0): void {
    writeSync(this.#file, `${Date.now()} ${what} ${id} ${attempt} ${process.pid}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

const extension = '.ledger';

/** Path of the ledger of a process in the folder of a scenario. */
export function ledgerPath(folder: string, by: string): string {
  return join(folder, by + extension);
}

/** All events of a ledger. A last line without its end was cut off by a crash and is left out. */
export function parseLedger(by: string, text: string): LedgerEvent[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [at, what, id, attempt, pid] = line.split(' ') as [string, What, string, string, string];
      return { at: Number(at), what, id, attempt: Number(attempt), by, pid: Number(pid) };
    });
}

/** The events of all ledgers in a folder. */
export function readLedgers(folder: string): LedgerEvent[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(extension))
    .flatMap((file) => parseLedger(basename(file, extension), readFileSync(join(folder, file), 'utf8')));
}
