import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';
import type { Filter, Outcome } from '../../src/index.js';

/** How long a test waits for what must come before it fails with what came instead. */
const patienceMs = 8_000;

/** Something that happened, as a test looks at it. */
export interface Sign {
  /** `began` and `ended` are attempts, `logged` is a line of a service's log; the rest is told by the test itself. */
  what: string;
  id?: string;
  contract?: string;
  attempt?: number;
  outcome?: Outcome['kind'];
  /** The line of a log; whatever a test wants to keep of what it told. */
  detail?: unknown;
}

/** What has to be the same in a sign, or a condition it has to meet. */
export type Match = Partial<Sign> | ((sign: Sign) => boolean);

/**
 * What happened, in order. A test waits for what it expects instead of sleeping; a wait in vain fails with what was
 * seen instead.
 */
export class Signals {
  readonly all: Sign[] = [];
  readonly #waiting = new Set<() => void>();

  /** Tells when attempts begin and end. An attempt has ended before it is settled. */
  readonly filter: Filter = {
    name: 'signals',
    attempt: async ({ job: { id, contract, attempt } }, next) => {
      this.#add({ what: 'began', id, contract, attempt });
      const outcome = await next();
      this.#add({ what: 'ended', id, contract, attempt, outcome: outcome.kind, detail: outcome });
      return outcome;
    },
  };

  /** A log whose lines are signs. */
  readonly log: Logger = pino(
    { level: 'info' },
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        const line = JSON.parse(chunk.toString()) as { msg: string };
        this.#add({ what: 'logged', detail: line });
        done();
      },
    }),
  );

  tell(what: string, detail?: unknown): void {
    this.#add({ what, detail });
  }

  /** The signs that match, in order. */
  of(match: Match): Sign[] {
    return this.all.filter((sign) => fits(sign, match));
  }

  /** Waits for the first sign that matches. */
  async first(match: Match): Promise<Sign> {
    const [sign] = await this.next(1, match);
    return sign!;
  }

  /** Waits until so many signs match. */
  next(count: number, match: Match): Promise<Sign[]> {
    return this.when(
      () => {
        const seen = this.of(match);
        return seen.length >= count ? seen.slice(0, count) : undefined;
      },
      `${count} of ${typeof match === 'function' ? match.toString() : JSON.stringify(match)}`,
    );
  }

  /** Waits until, after some sign, `ask` gives something; what nothing tells of is asked for again every few ms. */
  when<Answer>(ask: () => Answer | undefined | false, what: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const answer = ask();
        if (answer === undefined || answer === false) return;
        finish();
        resolve(answer);
      };
      const finish = () => {
        clearTimeout(deadline);
        clearInterval(again);
        this.#waiting.delete(look);
      };
      const deadline = setTimeout(() => {
        finish();
        reject(new Error(`waited ${patienceMs} ms for ${what}; seen: ${this.#shown()}`));
      }, patienceMs);
      const again = setInterval(look, 5);
      this.#waiting.add(look);
      look();
    });
  }

  clear(): void {
    this.all.length = 0;
  }

  #add(sign: Sign): void {
    this.all.push(sign);
    for (const look of [...this.#waiting]) look();
  }

  #shown(): string {
    const lines = this.all.slice(-25).map(({ what, id, contract, attempt, outcome, detail }) => {
      const about = what === 'logged' ? (detail as { msg: string }).msg : [contract, id, attempt, outcome];
      return `  ${what} ${[about].flat().filter(Boolean).join(' ')}`;
    });
    return lines.length === 0 ? 'nothing' : `\n${lines.join('\n')}`;
  }
}

function fits(sign: Sign, match: Match): boolean {
  if (typeof match === 'function') return match(sign);
  return Object.entries(match).every(([key, value]) => sign[key as keyof Sign] === value);
}
