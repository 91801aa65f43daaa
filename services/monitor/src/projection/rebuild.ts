import type { Database, Transaction } from 'jobrail/store';
import { jobStates } from '../records/job-record.js';
import { type Lease, LeaseLost } from './lease.js';
import { readState } from './projection.js';
import { segmentSize } from './segments.js';

/**
 * Throws away what the stream can tell again, and sets the place in the stream back to its beginning. Jobs that were first
 * heard of before the stream begins keep what is known of them; what follows is folded into it again, which changes
 * nothing. What was counted by minute stays, and is not counted again.
 *
 * A segment of jobs at a time, so that no transaction lasts for long. The last one counts what is left and sets the place;
 * until then the rebuild stays asked for. So after a crash it is begun again, and what was projected meanwhile goes, too.
 * @param firstPlace of the stream.
 * @throws LeaseLost, StoreError.
 */
export async function rebuild(database: Database, lease: Lease, firstPlace: number): Promise<void> {
  const { rows } = await database.query<{ segment: number }>(
    `SELECT segment FROM monitor_segments ORDER BY segment`,
  );
  for (const { segment } of rows) {
    if (!(await lease.take())) throw new LeaseLost(); // all together may last longer than a lease
    await database.transaction(async (transaction) => {
      await lease.confirm(transaction);
      await clear(transaction, segment, firstPlace);
    });
  }
  await database.transaction(async (transaction) => {
    await lease.confirm(transaction);
    const { nextOffset } = await readState(transaction);
    await transaction.query(`DELETE FROM monitor_senders`);
    await transaction.query(`DELETE FROM monitor_shelves`);
    await transaction.query(
      `INSERT INTO monitor_shelves (shelf, jobs) SELECT shelf, COUNT(*) FROM monitor_jobs GROUP BY shelf`,
    );
    const dead = jobStates.indexOf('dead');
    await transaction.query(
      `UPDATE monitor_failures SET jobs = (SELECT COUNT(*) FROM monitor_jobs
       WHERE monitor_jobs.fingerprint = monitor_failures.fingerprint
         AND monitor_jobs.shelf = monitor_failures.kind * 16 + ${dead})`,
    );
    await transaction.query(`DELETE FROM monitor_failures WHERE jobs <= 0`);
    await transaction.query(
      `UPDATE monitor_projection SET next_offset = $1, rebuild_asked = 0, rebuild_to = $2 WHERE id = 1`,
      [firstPlace, nextOffset],
    );
  });
}

async function clear(transaction: Transaction, segment: number, firstPlace: number): Promise<void> {
  const inSegment = `seq >= ${segment * segmentSize} AND seq < ${(segment + 1) * segmentSize}`;
  await transaction.query(`DELETE FROM monitor_history WHERE ${inSegment} AND place >= $1`, [firstPlace]);
  await transaction.query(`DELETE FROM monitor_jobs WHERE ${inSegment} AND first_offset >= $1`, [firstPlace]);
  const { rows } = await transaction.query(`SELECT seq FROM monitor_jobs WHERE ${inSegment} LIMIT 1`);
  if (rows.length === 0) await transaction.query(`DELETE FROM monitor_values WHERE segment = $1`, [segment]);
}

/** Asks the replica that projects to do it. */
export async function askRebuild(database: Database): Promise<void> {
  await database.query(`UPDATE monitor_projection SET rebuild_asked = 1 WHERE id = 1`);
}
