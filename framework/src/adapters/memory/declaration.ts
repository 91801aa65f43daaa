import { TopologyError } from '../../base/errors.js';

type Facts = Record<string, string | number | undefined>;

/** @throws TopologyError (`JR_TOPOLOGY_CONFLICT`) for the first fact that differs, showing both values. */
export function refuseConflict(subject: string, asked: Facts, existing: Facts): void {
  for (const name of new Set([...Object.keys(asked), ...Object.keys(existing)])) {
    if (asked[name] === existing[name]) continue;
    throw new TopologyError(
      'JR_TOPOLOGY_CONFLICT',
      `${subject} exists with another ${name}: the code asks for ${show(asked[name])}, the broker has ${show(existing[name])}.`,
      { mend: 'Ask for what exists, or remove it and declare it again.' },
    );
  }
}

function show(value: string | number | undefined): string {
  return value === undefined ? 'none' : `'${value}'`;
}
