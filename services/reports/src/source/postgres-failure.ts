import pg from 'pg';
import { ReportError } from '../report-error.js';

/**
 * SQLSTATE classes and codes that come back however often the query is run: wrong SQL, wrong or missing parameters,
 * data that cannot be converted, a write in a read-only transaction, a right that is missing. All else (connection,
 * resources, deadlock, timeout, shutdown) may pass.
 */
const permanent = /^(?:0A|21|22|25006|42|08P01)/;
const cancelled = '57014';

/** The error to throw for what pg threw: `ReportError` (`QUERY_FAILED`) when trying again is pointless. */
export function queryFailure(error: unknown, query: string): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  const { code = '' } = error;
  if (permanent.test(code)) {
    return new ReportError(
      'QUERY_FAILED',
      `PostgreSQL refused query "${query}": ${error.message} (${code}).`,
      {
        mend: 'Correct the params of the job, or the file of the query in the folder of REPORTS_QUERIES.',
        cause: error,
      },
    );
  }
  if (code !== cancelled) return error;
  return new Error(
    `PostgreSQL cancelled query "${query}": ${error.message}. ` +
      'A step took longer than REPORTS_STATEMENT_TIMEOUT: make the query faster or the timeout longer.',
    { cause: error },
  );
}
