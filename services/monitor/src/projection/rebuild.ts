import type { Database } from 'jobrail/store';
import { jobStates } from '../records/job-record.js';
import type { Lease } from './lease.js';
import { readState } from './projection.js';
import { segmentSize } from './segments.js';

/**
 * Throws away what the stream can tell again, and sets the place in the stream back to its beginning. Jobs that were first
 * heard of before the stream begins keep what is known of them; what follows is folded into it again, which changes
 * nothing. What was counted by minute stays, and is not counted again.
 * @param firstPlace of the stream.
 */
export async function rebuild(database: Database, lease: Lease, firstPlace: number): Promise<void> {
  await database.transaction(async (transaction) => {
    await lease.confirm(transaction);
    const { nextOffset } = await readState(transaction);
    await transaction.query(`DELETE FROM monitor_history WHERE place >= $1`, [firstPlace]);
    await transaction.query(`DELETE FROM monitor_jobs WHERE first_offset >= $1`, [firstPlace]);
    await transaction.query(`DELETE FROM monitor_values WHERE NOT EXISTS (
      SELECT 1 FROM monitor_jobs WHERE seq >= segment * ${segmentSize} AND seq < (segment + 1) * ${segmentSize})`);
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

/** Asks the replica that projects to do it. */
export async function askRebuild(database: Database): Promise<void> {
  await database.query(`UPDATE monitor_projection SET rebuild_asked = 1 WHERE id = 1`);
}
