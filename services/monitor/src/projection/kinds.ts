import type { Queryable } from 'jobrail/store';

/** What all jobs of a kind share. The service is empty while none has run them. */
export interface Kind {
  contract: string;
  queue: string;
  service: string;
}

/** The number of the kind of a job; a promise of it where it must be given first, which is seldom. */
export type KindNumbers = (job: Omit<Kind, 'service'>, service: string) => number | Promise<number>;

/** The numbers of kinds, given when one is first seen and never changed. */
export class Kinds {
  readonly #numbers = new Map<string, number>();
  readonly #kinds = new Map<number, Kind>();
  #last = 0;

  /** Reads those that were added since the last time. */
  async load(on: Queryable): Promise<ReadonlyMap<number, Kind>> {
    const { rows } = await on.query<{ kind: number; contract: string; queue: string; service: string }>(
      `SELECT kind, contract, queue, service FROM monitor_kinds WHERE kind > $1`,
      [this.#last],
    );
    for (const { kind, contract, queue, service } of rows) {
      this.#numbers.set(keyOf({ contract, queue, service }), kind);
      this.#kinds.set(kind, { contract, queue, service });
      this.#last = Math.max(this.#last, kind);
    }
    return this.#kinds;
  }

  get(kind: number): Kind | undefined {
    return this.#kinds.get(kind);
  }

  /** Gives numbers in a transaction of the one replica that writes; they are known to all after its commit. */
  within(transaction: Queryable): KindNumbers {
    const given = new Map<string, number>();
    return ({ contract, queue }, service) => {
      const kind = { contract, queue, service };
      const key = keyOf(kind);
      const number = this.#numbers.get(key) ?? given.get(key);
      if (number !== undefined) return number;
      return giveNumber(transaction, kind).then((fresh) => (given.set(key, fresh), fresh));
    };
  }
}

async function giveNumber(on: Queryable, { contract, queue, service }: Kind): Promise<number> {
  await on.query(
    `INSERT INTO monitor_kinds (kind, contract, queue, service)
     SELECT COALESCE(MAX(kind), 0) + 1, $1, $2, $3 FROM monitor_kinds WHERE true
     ON CONFLICT DO NOTHING`,
    [contract, queue, service],
  );
  const { rows } = await on.query<{ kind: number }>(
    `SELECT kind FROM monitor_kinds WHERE contract = $1 AND queue = $2 AND service = $3`,
    [contract, queue, service],
  );
  return rows[0]!.kind;
}

function keyOf({ contract, queue, service }: Kind): string {
  return `${contract}\0${queue}\0${service}`;
}
