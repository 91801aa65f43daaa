/** Round values along an axis, and their labels. */
export interface Axis {
  min: number;
  max: number;
  ticks: { at: number; label: string }[];
}

/** Below it, powers of ten are no longer exact. */
const smallestSpan = 1e-290;

/** An axis of 1, 2, 2.5 or 5 times a power of ten that covers the values, with about `count` ticks. */
export function numberAxis(low: number, high: number, count = 5): Axis {
  const span = [high - low, Math.abs(high)].find((width) => width > smallestSpan) ?? 1;
  const step = roundStep(span / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  const label = numberLabels(step, Math.max(Math.abs(low), Math.abs(high)));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => {
    // Multiplied, not added up, and cleaned of the last digits of a double: 0.30000000000000004 is 0.3.
    const at = Number(((first + index) * step).toPrecision(12));
    return { at, label: label(at) };
  });
  return { min: first * step, max: last * step, ticks };
}

function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate >= rough / power - 1e-9) ?? 10;
  return factor * power;
}

function numberLabels(step: number, largest: number): (value: number) => string {
  if (largest >= 10_000) {
    const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 });
    return (value) => compact.format(value);
  }
  const digits = Math.min(
    10,
    Math.max(0, Math.ceil(-Math.log10(step) - 1e-9) + (`${step}`.includes('25') ? 1 : 0)),
  );
  const plain = new Intl.NumberFormat('en', { maximumFractionDigits: digits });
  return (value) => plain.format(value);
}

const dayMs = 86_400_000;
const steps: { months?: number; ms?: number }[] = [
  ...[60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200].map((seconds) => ({ ms: seconds * 1_000 })),
  ...[1, 2, 7, 14].map((days) => ({ ms: days * dayMs })),
  ...[1, 2, 3, 6].map((months) => ({ months })),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((years) => ({ months: years * 12 })),
];

/** An axis of dates (milliseconds) with at most `count` ticks at round minutes, days, months or years, in UTC. */
export function timeAxis(low: number, high: number, count = 8): Axis {
  const max = high > low ? high : low + dayMs;
  for (const step of steps) {
    const at =
      step.months === undefined ? evenTicks(low, max, step.ms ?? dayMs) : monthTicks(low, max, step.months);
    if (at.length <= count)
      return { min: low, max, ticks: at.map((ms) => ({ at: ms, label: timeLabel(ms, step) })) };
  }
  return { min: low, max, ticks: [low, max].map((ms) => ({ at: ms, label: timeLabel(ms, { months: 12 }) })) };
}

function evenTicks(low: number, high: number, step: number): number[] {
  const first = Math.ceil(low / step) * step;
  const length = Math.max(0, Math.floor((high - first) / step) + 1);
  return Array.from({ length: Math.min(length, 1_000) }, (_, index) => first + index * step);
}

function monthTicks(low: number, high: number, step: number): number[] {
  const start = new Date(low);
  const startMonth = start.getUTCFullYear() * 12 + start.getUTCMonth();
  const ticks: number[] = [];
  for (let month = Math.floor(startMonth / step) * step; ticks.length < 1_000; month += step) {
    const at = Date.UTC(Math.floor(month / 12), month % 12, 1);
    if (at > high) break;
    if (at >= low) ticks.push(at);
  }
  return ticks;
}

function timeLabel(ms: number, step: { months?: number; ms?: number }): string {
  const options: Intl.DateTimeFormatOptions =
    step.months !== undefined
      ? step.months % 12 === 0
        ? { year: 'numeric' }
        : { year: 'numeric', month: 'short' }
      : (step.ms ?? 0) >= dayMs
        ? { day: 'numeric', month: 'short', year: 'numeric' }
        : { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(ms);
}
