/* The end of a member of the crew (see crew.ts) of its channel to the process that runs the scenario. */

/** What every member is told. */
export interface MemberSettings {
  name: string;
  url: string[];
  prefix: string;
  /** Path of its ledger. */
  ledger: string;
  /** URL of the PostgreSQL, in the scenarios that have one. */
  store?: string;
}

/** Settings as they were given on the command line. */
export function readSettings<Settings>(): Settings {
  const [, , json] = process.argv;
  if (json === undefined) throw new Error(`${process.argv[1]} is started by npm run chaos, not by hand.`);
  return JSON.parse(json) as Settings;
}

/** Calls what is asked for. A member does not outlive the process that started it. */
export function followCrew(orders: Record<string, () => void>): void {
  process.on('message', (order: string) => orders[order]?.());
  process.on('disconnect', endWithCrew);
}

export function tellCrew(news: string): void {
  process.send?.(news);
}

/** The channel is all that keeps the process from ending by itself now: whatever else is left open would show. */
export function closeChannelToCrew(): void {
  process.off('disconnect', endWithCrew);
  process.disconnect();
}

function endWithCrew(): void {
  process.kill(process.pid, 'SIGKILL');
}
