import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ReportError } from '../report-error.js';

const namePattern = /^([a-z][a-z0-9_-]{0,63})\.sql$/;

/**
 * The queries that jobs may name. They are read once, when the service starts; a name from a payload is only ever
 * looked up in memory, so it can reach no file.
 */
export class QueryCatalogue {
  constructor(private readonly queries: ReadonlyMap<string, string>) {}

  /**
   * Reads the files `<name>.sql` of a folder, one SELECT each. Other files are left alone.
   * @throws Error naming the folder or file that cannot be used.
   */
  static async fromFolder(folder: string): Promise<QueryCatalogue> {
    const queries = new Map<string, string>();
    for (const file of (await readdir(folder)).sort()) {
      if (!file.endsWith('.sql')) continue;
      const name = namePattern.exec(file)?.[1];
      if (name === undefined) {
        throw new Error(
          `Query file "${file}" in ${folder} has a name that no job can use. ` +
            'Name it with lower-case letters, digits, "-" and "_", starting with a letter, such as "monthly-sales.sql".',
        );
      }
      const sql = (await readFile(join(folder, file), 'utf8')).trim();
      if (sql === '')
        throw new Error(`Query file "${file}" in ${folder} is empty. Write one SELECT into it.`);
      queries.set(name, sql);
    }
    return new QueryCatalogue(queries);
  }

  /**
   * The SQL of a query.
   * @throws ReportError (`QUERY_UNKNOWN`) that lists the names there are.
   */
  sql(name: string): string {
    const sql = this.queries.get(name);
    if (sql !== undefined) return sql;
    const known = [...this.queries.keys()];
    throw new ReportError('QUERY_UNKNOWN', `There is no query ${JSON.stringify(name)}.`, {
      mend:
        known.length === 0
          ? 'The service has none: set REPORTS_QUERIES to a folder of .sql files.'
          : `Name one of: ${known.join(', ')}; or add the file to the folder of REPORTS_QUERIES and restart the service.`,
    });
  }
}
