import type { Storage } from '@jobrail/storage';
import type { PayloadOf } from 'jobrail';
import type { BuildReport } from '../jobs.js';
import { ReportError } from '../report-error.js';
import type { Table } from '../table/table.js';
import { openCsv } from './csv-source.js';
import type { PostgresSource } from './postgres-source.js';

export type ReportSource = PayloadOf<typeof BuildReport>['source'];

/** Opens whatever a job names as the source of its rows. */
export class ReportSources {
  /** @param postgres absent when the service has no database. */
  constructor(
    private readonly storage: Storage,
    private readonly postgres?: PostgresSource,
  ) {}

  /**
   * Opens the rows of a source; close the table when done.
   * @throws ReportError, or StorageError (`STORAGE_NOT_FOUND`) for a CSV that is not there.
   */
  async open(source: ReportSource, signal: AbortSignal): Promise<Table> {
    if (source.kind === 'csv') {
      const bytes = await this.storage.size(source.key);
      return openCsv({ content: await this.storage.get(source.key), bytes, name: source.key }, signal);
    }
    if (this.postgres) return this.postgres.open(source, signal);
    throw new ReportError(
      'POSTGRES_NOT_CONFIGURED',
      `Query "${source.query}" needs a database, and there is none.`,
      {
        mend: 'Set DATABASE_URL and REPORTS_QUERIES of the reports service.',
      },
    );
  }
}
