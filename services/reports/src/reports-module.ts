import { access } from 'node:fs/promises';
import { openStorage, Storage } from '@jobrail/storage';
import { ContainerModule } from 'inversify';
import { ConfigError } from 'jobrail';
import pg from 'pg';
import type { ReportsConfig } from './config.js';
import { notoSans, type PdfFonts } from './output/pdf/pdf-page.js';
import { type ReportSettings, reportSettings } from './report-settings.js';
import { PostgresSource } from './source/postgres-source.js';
import { QueryCatalogue } from './source/query-catalogue.js';
import { ReportSources } from './source/report-sources.js';

/** The module with what the handler works with, and what must be closed after the last job. */
export interface OpenedReports {
  module: ContainerModule;
  close(): Promise<void>;
}

/**
 * Makes what the configuration can spoil here and now, so that a missing folder of queries, a wrong storage URL or a
 * font that is not there ends the start and not the first job. PostgreSQL is connected to by the first job that asks.
 * @throws ConfigError, StorageError.
 */
export async function openReports(config: ReportsConfig): Promise<OpenedReports> {
  const storage = openStorage(config.storageUrl);
  const settings: ReportSettings = { ...config, pdfFonts: await fontsOf(config) };
  const queries = await queriesOf(config);
  const pool =
    config.databaseUrl === undefined ? undefined : openPool(config.databaseUrl, config.concurrency);
  const { statementTimeoutMs } = config;
  const postgres = pool && new PostgresSource({ pool, queries, statementTimeoutMs });
  const module = new ContainerModule(({ bind }) => {
    bind(Storage).toConstantValue(storage);
    bind(ReportSources).toConstantValue(new ReportSources(storage, postgres));
    bind(reportSettings).toConstantValue(settings);
  });
  return { module, close: async () => pool?.end() };
}

function openPool(connectionString: string, concurrency: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    // One more than the reports at work, for the statement that cancels the query of another.
    max: concurrency + 1,
    connectionTimeoutMillis: 10_000,
    application_name: 'jobrail-reports',
  });
  // An idle connection that the server ends is no fault: the next job gets another. Without a listener it would end
  // the process.
  pool.on('error', () => {});
  return pool;
}

async function queriesOf({ queriesFolder }: ReportsConfig): Promise<QueryCatalogue> {
  if (queriesFolder === undefined) return new QueryCatalogue(new Map());
  try {
    return await QueryCatalogue.fromFolder(queriesFolder);
  } catch (cause) {
    throw new ConfigError(
      'JR_CONFIG_INVALID',
      `REPORTS_QUERIES cannot be used: ${(cause as Error).message}`,
      {
        mend: 'Set it to a folder with one SELECT in each file <name>.sql.',
        cause,
      },
    );
  }
}

async function fontsOf({ pdfFont, pdfFontBold }: ReportsConfig): Promise<PdfFonts | undefined> {
  if (pdfFont === undefined && pdfFontBold === undefined) return undefined;
  const fonts = { regular: pdfFont ?? notoSans.regular, bold: pdfFontBold ?? pdfFont ?? notoSans.bold };
  for (const path of Object.values(fonts)) {
    await access(path).catch((cause: unknown) => {
      throw new ConfigError('JR_CONFIG_INVALID', `The font ${path} cannot be read.`, {
        mend: 'Set REPORTS_PDF_FONT and REPORTS_PDF_FONT_BOLD to TrueType or OpenType files, or leave them out.',
        cause,
      });
    });
  }
  return fonts;
}
