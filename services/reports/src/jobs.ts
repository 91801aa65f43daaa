import { defineJob, defineQueue } from 'jobrail';
import { z } from 'zod';

/** Where reports wait to be built. */
export const reportsQueue = defineQueue('reports');

const column = z.string().min(1).max(200);
const storageKey = z.string().min(1).max(1024);

const csvSource = z.strictObject({
  kind: z.literal('csv'),
  /** Storage key of a CSV file (UTF-8, comma separated) whose first line names the columns. */
  key: storageKey,
});

const postgresSource = z.strictObject({
  kind: z.literal('postgres'),
  /** Name of a query that the reports service has in its own configuration; never SQL. */
  query: z
    .string()
    .regex(
      /^[a-z][a-z0-9_-]{0,63}$/,
      'a query name: lower-case letters, digits, "-" and "_", starting with a letter',
    ),
  /** Bound to `$1`, `$2`, … of the query, in this order. */
  params: z
    .array(z.union([z.string().max(10_000), z.number(), z.boolean(), z.null()]))
    .max(100)
    .optional(),
});

/**
 * Builds one report from the rows of a source, puts it at `outputKey` of the storage in one step (all or nothing),
 * and mails `notify` when it is there. Running it again with the same payload replaces the file by an equal one.
 */
export const BuildReport = defineJob('report.build', {
  queue: reportsQueue,
  payload: z.strictObject({
    /** Heading of the PDF, name of the XLSX sheet, subject of the mail. */
    title: z.string().trim().min(1).max(200),
    source: z.discriminatedUnion('kind', [csvSource, postgresSource]),
    format: z.enum(['pdf', 'xlsx', 'csv']),
    /** Storage key that the finished report is put at. */
    outputKey: storageKey,
    /** Columns to show, in this order; all columns of the source when absent. */
    columns: z.array(column).min(1).max(200).optional(),
    /** Drawn in a PDF: one bar or point a label. Its columns must exist in the source whatever the format. */
    chart: z
      .strictObject({
        label: column,
        value: column,
        /** `line` when the labels are dates or there are many of them, else `bar`, when absent. */
        kind: z.enum(['bar', 'line']).optional(),
      })
      .optional(),
    /** Who is mailed when the report is ready; nobody when absent. */
    notify: z.email().optional(),
  }),
});
