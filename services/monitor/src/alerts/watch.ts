import type { Database } from 'jobrail/store';
import type { AlertGroup } from '../jobs.js';
import type { Lease } from '../projection/lease.js';
import type { Records } from '../search/records.js';
import { type AlertRule, type Finding, findAlerts, queuesOf } from './alert-rules.js';
import { AlertStore, type KnownAlert } from './alert-store.js';
import type { LaneDepths } from './lane-depths.js';

export interface WatchOptions {
  rules: readonly AlertRule[];
  database: Database;
  records: Records;
  lanes: LaneDepths;
  lease: Lease;
  /** An alert that holds, or comes and goes, is told at most this often. Milliseconds. */
  repeatMs: number;
  /** Tells what changed, all together. Rejects when it could not; it is tried again at the next look then. */
  tell: (group: AlertGroup) => Promise<void>;
}

/**
 * Looks at the rules and tells what changed.
 *
 * What begins to hold is told at once, unless it was told less than `repeatMs` ago: then when that is over, if it still
 * holds. What goes on is told again every `repeatMs`. That it is over is told once, to whom its beginning was told.
 */
export class Watch {
  readonly #store: AlertStore;

  constructor(private readonly options: WatchOptions) {
    this.#store = new AlertStore(options.database);
  }

  /** @throws StoreError, BrokerError: nothing was told then, or all of it will be told again. */
  async look(lagMs: number | undefined, now = Date.now()): Promise<void> {
    const { rules, records, lanes, database, lease, repeatMs, tell } = this.options;
    const findings = await findAlerts(rules, {
      now,
      lagMs,
      queues: queuesOf(await records.counts()),
      lanes: (queue) => lanes.of(queue),
      oldestWaiting: (queue) => records.oldestWaiting(queue),
      minutes: (queue, from) => records.minutes(from, now + 86_400_000, queue),
    });
    const known = await this.#store.known();
    const { changed, group } = compare(known, findings, { now, repeatMs });
    if (changed.length === 0) return;
    if (group.firing.length + group.resolved.length > 0) await tell(group);
    await database.transaction(async (transaction) => {
      await lease.confirm(transaction);
      await this.#store.write(transaction, changed);
    });
  }
}

/** What is to be written and told, from what was known and what is found. */
export function compare(
  known: readonly KnownAlert[],
  findings: readonly Finding[],
  { now, repeatMs }: { now: number; repeatMs: number },
): { changed: KnownAlert[]; group: AlertGroup } {
  const before = new Map(known.map((alert) => [alert.id, alert]));
  const group: AlertGroup = { firing: [], resolved: [] };
  const changed: KnownAlert[] = [];
  for (const finding of findings) {
    const was = before.get(finding.id);
    const since = was && was.resolvedAt === undefined ? was.since : now;
    const due = was?.toldAt === undefined || was.toldAt <= now - repeatMs;
    const alert: KnownAlert = { ...finding, since, toldAt: was?.toldAt, told: was?.told ?? false };
    if (due) {
      group.firing.push(noticeOf(alert));
      changed.push({ ...alert, toldAt: now, told: true });
    } else if (was.resolvedAt !== undefined || was.text !== finding.text) changed.push(alert);
  }
  const holding = new Set(findings.map(({ id }) => id));
  for (const was of known) {
    if (was.resolvedAt !== undefined || holding.has(was.id)) continue;
    const over = { ...was, resolvedAt: now, told: false };
    if (was.told) group.resolved.push(noticeOf(over));
    changed.push(over);
  }
  return { changed, group };
}

function noticeOf({ told: _, toldAt: __, ...alert }: KnownAlert): AlertGroup['firing'][number] {
  const { id, rule, subject, text, value, above, since, resolvedAt } = alert;
  return { id, rule, subject, text, value, above, since, ...(resolvedAt !== undefined && { resolvedAt }) };
}
