/** @import { Tally } from '../tally-reporter.mjs' */

/**
 * @typedef {Tally & { name: string, version?: string, fault?: string, ms: number }} BrokerResult
 *   `fault`: the suites did not run, or not to their end.
 */

/**
 * @param {BrokerResult[]} results
 * @returns {string} A table, below it the faults.
 */
export function showResults(results) {
  const rows = [
    ['broker', 'version', 'passed', 'failed', 'skipped', 'time'],
    ...results.map(({ name, version, passed, failed, skipped, ms }) =>
      version === undefined
        ? [name, 'not run', '', '', '', '']
        : [name, version, String(passed), String(failed), String(skipped), `${Math.round(ms / 1000)} s`],
    ),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((text, column) =>
        column < 2 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  const faults = results.flatMap(({ name, fault }) => (fault === undefined ? [] : [`${name}: ${fault}`]));
  return [...lines, ...faults.flatMap((fault) => ['', fault])].join('\n');
}
