import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type Kind, kindOf, shouldDie } from './kind.js';
import { parseLedger } from './ledger.js';

/** Follows the ledgers of a folder while they are being written. For steering only: the verdict reads them anew. */
export class Progress {
  /** How far each ledger has been read, bytes. */
  readonly #read = new Map<string, number>();
  /** Confirmed and not completed. */
  readonly #open = new Set<string>();
  readonly #completed = new Set<string>();
  /** Runs that came to an end so far, by kind. */
  readonly #completions = new Map<Kind, number>();

  constructor(private readonly folder: string) {}

  /** Reads on and counts: all, or those of a kind. */
  completions(kind?: Kind): number {
    this.#follow();
    if (kind !== undefined) return this.#completions.get(kind) ?? 0;
    return [...this.#completions.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Jobs that were completed so far. */
  get completed(): ReadonlySet<string> {
    this.#follow();
    return this.#completed;
  }

  /** Confirmed jobs that are not completed yet and that match: those that should be one day, and those that should die. */
  open(matches: (id: string) => boolean = () => true): { toComplete: number; toDie: number } {
    this.#follow();
    const open = [...this.#open].filter(matches);
    const toDie = open.filter((id) => shouldDie(kindOf(id))).length;
    return { toComplete: open.length - toDie, toDie };
  }

  #follow(): void {
    for (const file of readdirSync(this.folder)) {
      if (file.endsWith('.ledger')) this.#readOn(file);
    }
  }

  #readOn(file: string): void {
    const from = this.#read.get(file) ?? 0;
    const descriptor = openSync(join(this.folder, file), 'r');
    const bytes = Buffer.alloc(fstatSync(descriptor).size - from);
    readSync(descriptor, bytes, 0, bytes.length, from);
    closeSync(descriptor);
    const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
    this.#read.set(file, from + whole.length);
    for (const { what, id } of parseLedger(file, whole.toString())) {
      if (what === 'confirmed' && !this.#completed.has(id)) this.#open.add(id);
      if (what !== 'completed') continue;
      this.#completed.add(id); // may be before the producer has noted the confirm
      this.#open.delete(id);
      this.#completions.set(kindOf(id), (this.#completions.get(kindOf(id)) ?? 0) + 1);
    }
  }
}
