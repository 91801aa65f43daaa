import { readMoment } from '../../table/moment.js';

const dayMs = 86_400_000;
/** Day 0 of the calendar of spreadsheets. */
const epochMs = Date.UTC(1899, 11, 30);
/** 1 March 1900: before it, Excel counts a 29 February 1900 that never was. */
const firstSafeDay = 61;
/** 31 December 9999. */
const lastDay = 2_958_465;

/** A date as a spreadsheet counts it: days, the time as fraction. Undefined when the text is none or Excel has no such day. */
export function serialDate(text: string): number | undefined {
  const moment = readMoment(text);
  if (moment === undefined) return undefined;
  const serial = (moment.ms - epochMs) / dayMs;
  return serial >= firstSafeDay && serial < lastDay + 1 ? serial : undefined;
}
