/** Every reason for which a report cannot be built however often it is tried, with what it means. */
export const reportErrorCodes = {
  QUERY_UNKNOWN: 'The service has no query of this name.',
  QUERY_FAILED: 'PostgreSQL refused the query or its parameters.',
  POSTGRES_NOT_CONFIGURED: 'The service was started without a database.',
  CSV_MALFORMED: 'The CSV file breaks the rules of CSV, at the line told.',
  COLUMN_UNKNOWN: 'A column is asked for that the source does not have.',
  CHART_NOT_NUMERIC: 'The value column of the chart has no number in it.',
  PDF_TOO_MANY_ROWS: 'The source has more rows than a PDF may have here.',
  PDF_TOO_MANY_COLUMNS: 'More columns than a page is wide.',
  XLSX_TOO_MANY_COLUMNS: 'More columns than a sheet may have.',
} as const;

export type ReportErrorCode = keyof typeof reportErrorCodes;

/**
 * A report that cannot be built: trying again gives the same. The handler turns it into `Fatal`; whatever else is thrown
 * (database, network, disk) follows the retry policy.
 */
export class ReportError extends Error {
  override readonly name = 'ReportError';
  readonly mend: string;

  /**
   * @param message subject, value seen, what was expected.
   * @param details.mend the next step, as a sentence; it is shown after the message.
   */
  constructor(
    readonly code: ReportErrorCode,
    message: string,
    { mend, cause }: { mend: string; cause?: unknown },
  ) {
    super(`${message} ${mend}`, cause === undefined ? undefined : { cause });
    this.mend = mend;
  }
}
