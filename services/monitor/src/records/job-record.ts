import type { ErrorFacts, JobState } from 'jobrail/events';

/** What is known of a job. A field that is not known is absent. Moments are milliseconds since 1970, by the clock of the sender. */
export interface JobRecord {
  id: string;
  contract: string;
  queue: string;
  state: JobState;
  /** The service that last ran it, or tried to. */
  service?: string | undefined;
  host?: string | undefined;
  instance?: string | undefined;
  /** Attempts that count; snoozed and released ones do not. */
  attempts: number;
  /** How often it was replayed from the dead letters. */
  replays: number;
  /** The attempt that the state speaks of; with `replays` it says which events are newer. */
  attempt: number;
  /** The outcome of that attempt is known. */
  settled: boolean;
  enqueuedAt?: number | undefined;
  /** When it was asked to run, where that was later. */
  dueAt?: number | undefined;
  /** When it runs next: while scheduled or retrying. */
  nextAt?: number | undefined;
  expiresAt?: number | undefined;
  startedAt?: number | undefined;
  /** When it reached a state that it does not leave by itself. */
  endedAt?: number | undefined;
  updatedAt: number;
  priority?: number | undefined;
  rootId?: string | undefined;
  causationId?: string | undefined;
  traceId?: string | undefined;
  /** The service that enqueued it. */
  producer?: string | undefined;
  payload?: unknown;
  payloadBytes?: number | undefined;
  result?: unknown;
  resultBytes?: number | undefined;
  /** The last that an attempt failed with; kept when a later attempt completes. */
  error?: ErrorFacts | undefined;
  /** Why it is dead, discarded or cancelled. */
  reason?: string | undefined;
  /** 0 to 1. */
  progress?: number | undefined;
  note?: string | undefined;
  /** Steps that are kept in its history. */
  steps: number;
  /** There were more log lines or progress than are kept. */
  truncated?: boolean | undefined;
}

/** In the order of their codes in the store: never reordered. */
export const jobStates = [
  'scheduled',
  'pending',
  'processing',
  'completed',
  'retrying',
  'dead',
  'discarded',
  'cancelled',
  'expired',
] as const satisfies readonly JobState[];

const codes = new Map<string, number>(jobStates.map((state, code) => [state, code]));
const statesPerKind = 16;

/**
 * Jobs of one kind (contract, queue and service) and one state stand on one shelf. Shelves are what is counted and
 * indexed, so any choice of contracts, queues, services and states is a list of shelves.
 */
export function shelfOf(kind: number, state: JobState): number {
  return kind * statesPerKind + codes.get(state)!;
}

export function kindOf(shelf: number): number {
  return Math.floor(shelf / statesPerKind);
}

export function stateOf(shelf: number): JobState {
  return jobStates[shelf % statesPerKind]!;
}

/** Whether a job stays in a state until somebody acts. */
export function isFinal(state: JobState): boolean {
  return codes.get(state)! >= codes.get('dead')! || state === 'completed';
}
