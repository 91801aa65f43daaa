import { addAbortSignal, type Readable } from 'node:stream';
import { priorityOf, SendEmail } from '@jobrail/email/jobs';
import { checkKey, Storage, StorageError, type StoredFile } from '@jobrail/storage';
import { inject } from 'inversify';
import { exponential, Fatal, type Handler, Job, type JobContext, type PayloadOf } from 'jobrail';
import { BuildProgress } from './build-progress.js';
import { BuildReport } from './jobs.js';
import { csvOutput } from './output/csv-output.js';
import { ChartSeries } from './output/pdf/chart-series.js';
import { pdfOutput } from './output/pdf/pdf-output.js';
import { xlsxOutput } from './output/xlsx/xlsx-output.js';
import { readyMail } from './ready-mail.js';
import { ReportError } from './report-error.js';
import { type ReportSettings, reportSettings } from './report-settings.js';
import { ReportSources } from './source/report-sources.js';
import { selectColumns } from './table/select-columns.js';
import type { Row, Table } from './table/table.js';

type Payload = PayloadOf<typeof BuildReport>;

const contentTypes: Record<Payload['format'], string> = {
  pdf: 'application/pdf',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  csv: 'text/csv; charset=utf-8',
};

/**
 * Streams a report from its source into the storage and then enqueues the mail that tells of it. A second run of the
 * same job replaces the report by an equal one and enqueues the mail under the same id.
 *
 * The timeout stays below the 30 minutes after which a broker takes a job back that nobody has acknowledged.
 */
@Job(BuildReport, { retry: exponential({ attempts: 8, from: '2s', to: '5m' }), timeout: '25m' })
export class BuildReportHandler implements Handler<typeof BuildReport> {
  constructor(
    @inject(ReportSources) private readonly sources: ReportSources,
    @inject(Storage) private readonly storage: Storage,
    @inject(reportSettings) private readonly settings: ReportSettings,
  ) {}

  async handle(payload: Payload, job: JobContext): Promise<void> {
    try {
      const progress = new BuildProgress(job, payload.format === 'pdf' ? 0.2 : 1);
      const file = await this.build(payload, job, progress);
      job.log.info({ key: file.key, bytes: file.bytes, rows: progress.rows }, 'report built');
      if (payload.notify !== undefined)
        await this.notify(payload.notify, { payload, file, rows: progress.rows }, job);
    } catch (error) {
      // What was cut off tells of its stream; why it was cut off is what counts.
      job.signal.throwIfAborted();
      throw isPermanent(error) ? new Fatal(error) : error;
    }
  }

  private async build(payload: Payload, job: JobContext, progress: BuildProgress): Promise<StoredFile> {
    const { source, outputKey, format } = payload;
    checkKey(outputKey);
    const table = await this.sources.open(source, job.signal);
    try {
      const output = this.output(watch(table, progress), payload, { job, progress });
      addAbortSignal(job.signal, output);
      return await this.storage.put(outputKey, output, { contentType: contentTypes[format] });
    } finally {
      await table.close();
    }
  }

  private output(
    table: Table,
    payload: Payload,
    { job, progress }: { job: JobContext; progress: BuildProgress },
  ): Readable {
    const chart = payload.chart && new ChartSeries(payload.chart, table.columns);
    const shown = selectColumns(chart ? chart.watch(table) : table, payload.columns);
    const options = {
      title: payload.title,
      requestedAt: job.enqueuedAt,
      warn: (note: string) => job.log.warn(note),
    };
    switch (payload.format) {
      case 'csv':
        return csvOutput(shown);
      case 'xlsx':
        return xlsxOutput(shown, options);
      case 'pdf': {
        const { pdfMaxRows: maxRows, pdfFonts: fonts } = this.settings;
        const drawn = (fraction: number): void => progress.pagesDrawn(fraction);
        return pdfOutput(shown, { ...options, maxRows, fonts, chart, drawn });
      }
    }
  }

  private async notify(
    to: string,
    { payload: { title, format }, file, rows }: { payload: Payload; file: StoredFile; rows: number },
    job: JobContext,
  ): Promise<void> {
    const mail = readyMail(to, { title, format, rows, file }, this.settings);
    if (!mail.attachments && mail.data['reportUrl'] === undefined) {
      job.log.warn(
        { bytes: file.bytes },
        'the report is too large to attach and REPORTS_LINK_BASE is not set: its mail has neither file nor link',
      );
    }
    await job.enqueue(SendEmail, mail, { id: `${job.id}.ready`, priority: priorityOf(mail.template) });
  }
}

/** The same table, whose rows are counted as they pass. */
function watch(table: Table, progress: BuildProgress): Table {
  async function* counted(): AsyncGenerator<readonly Row[]> {
    for await (const batch of table.batches) {
      progress.rowsRead(batch.length, table.fraction());
      yield batch;
    }
  }
  return { ...table, batches: counted() };
}

function isPermanent(error: unknown): error is Error {
  return error instanceof ReportError || (error instanceof StorageError && error.permanent);
}
