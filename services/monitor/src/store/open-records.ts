import type { Database } from 'jobrail/store';
import { ConfigError } from 'jobrail';
import { migrate } from 'jobrail/store';
import { tables } from './tables.js';

/**
 * Makes the tables, and the place in the stream where there is none yet: its beginning.
 * @throws ConfigError when the store holds the records of another prefix; StoreError.
 */
export async function openRecords(database: Database, prefix: string): Promise<void> {
  await migrate(database, 'monitor', tables);
  await database.query(
    `INSERT INTO monitor_projection
       (id, prefix, next_offset, counted_to, next_seq, refused, holder, lease_until, rebuild_asked, rebuild_to)
     VALUES (1, $1, 0, 0, 1, 0, '', 0, 0, 0) ON CONFLICT DO NOTHING`,
    [prefix],
  );
  const { rows } = await database.query<{ prefix: string }>(`SELECT prefix FROM monitor_projection`);
  const found = rows[0]!.prefix;
  if (found === prefix) return;
  throw new ConfigError(
    'JR_CONFIG_INVALID',
    `The store ${database.location} holds the jobs of prefix "${found}", and the prefix is "${prefix}".`,
    { mend: 'Give each prefix a store of its own (JOBRAIL_STORE_URL).' },
  );
}
