/** A date or a date with time, as read from text. Without a zone it is taken as UTC. */
export interface Moment {
  /** Milliseconds since 1970-01-01T00:00Z. */
  ms: number;
  hasTime: boolean;
}

const iso =
  /^(\d{4})([-/])(\d{2})\2(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;
const english = /^([A-Z][a-z]{2}) (\d{1,2}),? (\d{4})$/;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/**
 * Reads `2024-02-29`, `2024/02/29 18:30`, `2024-02-29T18:30:05.25+02:00` and `Feb 29 2024`. Undefined for all else, as
 * for 30 February, and for orders that mean different days in different countries (`03/04/2024`).
 */
export function readMoment(text: string): Moment | undefined {
  const found = iso.exec(text);
  if (!found) return readEnglish(text);
  const [, year, , month, day, hour, minute, second, fraction, zone] = found;
  const midnight = utcMidnight(Number(year), Number(month), Number(day));
  if (midnight === undefined) return undefined;
  if (hour === undefined) return { ms: midnight, hasTime: false };
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 59) return undefined;
  const seconds = Number(hour) * 3_600 + Number(minute) * 60 + Number(second ?? 0);
  const ms = midnight + seconds * 1_000 + Math.floor(Number(fraction ?? 0) * 1_000) - zoneMs(zone);
  return { ms, hasTime: true };
}

function readEnglish(text: string): Moment | undefined {
  const found = english.exec(text);
  if (!found) return undefined;
  const month = months.indexOf(found[1] ?? '') + 1;
  const ms = month === 0 ? undefined : utcMidnight(Number(found[3]), month, Number(found[2]));
  return ms === undefined ? undefined : { ms, hasTime: false };
}

/** Undefined when there is no such day. */
function utcMidnight(year: number, month: number, day: number): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined;
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(':', '') || 0);
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}
