import { jobStates } from '../records/job-record.js';

/** A JSON Schema (2020-12), as OpenAPI 3.1 takes it. */
export type Schema = Readonly<Record<string, unknown>>;

const text = { type: 'string' } as const;
const whole = { type: 'integer' } as const;
const moment = {
  type: 'integer',
  description: 'Milliseconds since 1970, by the clock of the sender.',
} as const;
const state = { type: 'string', enum: jobStates } as const;

export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
export const listOf = (items: Schema): Schema => ({ type: 'array', items });

function object(properties: Record<string, Schema>, optional: readonly string[] = []): Schema {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    additionalProperties: false,
  };
}

const counts: Schema = {
  type: 'object',
  description: 'Jobs by state; a state without any is absent.',
  propertyNames: state,
  additionalProperties: whole,
};

const jobProperties = {
  id: text,
  contract: text,
  queue: text,
  state,
  service: { ...text, description: 'That last ran it.' },
  host: text,
  instance: text,
  attempts: { ...whole, description: 'Attempts that count; snoozed and released ones do not.' },
  replays: { ...whole, description: 'How often it was replayed from the dead letters.' },
  attempt: { ...whole, description: 'That the state speaks of.' },
  settled: { type: 'boolean', description: 'The outcome of that attempt is known.' },
  enqueuedAt: moment,
  dueAt: moment,
  nextAt: { ...moment, description: 'When it runs next: while scheduled or retrying.' },
  expiresAt: moment,
  startedAt: moment,
  endedAt: moment,
  updatedAt: moment,
  priority: whole,
  rootId: { ...text, description: 'The first job of the chain that it is of; absent for that one.' },
  causationId: { ...text, description: 'The job whose handler enqueued it.' },
  traceId: text,
  producer: text,
  payload: { description: 'As recorded: secret fields redacted; absent when it is too large.' },
  payloadBytes: whole,
  result: {},
  resultBytes: whole,
  error: ref('Failure'),
  reason: text,
  progress: { type: 'number' },
  note: text,
  steps: whole,
  truncated: { type: 'boolean', description: 'Not all of it is kept.' },
} as const;

const always = [
  'id',
  'contract',
  'queue',
  'state',
  'attempts',
  'replays',
  'attempt',
  'settled',
  'updatedAt',
  'steps',
];
const sometimes = Object.keys(jobProperties).filter((name) => !always.includes(name));

/** What answers are made of, by name. */
export const schemas: Readonly<Record<string, Schema>> = {
  Error: object({ error: object({ code: text, message: text }) }),
  Failure: object({ name: text, message: text, stack: text, fingerprint: text }, ['stack']),
  Job: object(jobProperties, sometimes),
  JobPage: object(
    {
      jobs: listOf(ref('Job')),
      next: {
        ...text,
        description: 'Cursor of the next page; absent at the end. A page may be short and have one.',
      },
      total: { ...whole, description: 'In all, where that is known without looking.' },
    },
    ['next', 'total'],
  ),
  Step: {
    type: 'object',
    description: 'An event of the job, with what its kind has besides.',
    properties: { at: moment, kind: text, service: text, host: text },
    required: ['at', 'kind', 'service', 'host'],
  },
  JobDetail: object(
    { ...jobProperties, history: listOf(ref('Step')), children: listOf(ref('Job')) },
    sometimes,
  ),
  Queue: object({ queue: text, states: counts, oldestWaitingAt: moment, lanes: listOf(ref('Lane')) }, [
    'oldestWaitingAt',
  ]),
  Lane: object({ name: text, messages: whole, consumers: whole }),
  Kind: object({ contract: text, queue: text, service: text, states: counts }),
  FailureGroup: object({
    fingerprint: text,
    contract: text,
    queue: text,
    service: text,
    jobs: { ...whole, description: 'Dead now.' },
    firstAt: moment,
    lastAt: moment,
    name: text,
    message: text,
  }),
  Minute: object({
    minute: moment,
    outcome: text,
    attempts: whole,
    runMs: { ...whole, description: 'Of all together.' },
    longestMs: whole,
  }),
  Worker: object({
    service: text,
    instance: text,
    host: text,
    pid: whole,
    seenAt: { ...whole, description: 'When the monitor heard of it last, by its own clock.' },
    gone: { type: 'boolean', description: 'Silent for longer than three heartbeats.' },
    clockSkewMs: { ...whole, description: 'About how far its clock is ahead of the one of the monitor.' },
    at: moment,
    startedAt: moment,
    version: text,
    state: text,
    queues: { type: 'array', items: { type: 'object' } },
    eventLoopLagMs: { type: 'number' },
    rssBytes: whole,
  }),
  Alert: object(
    {
      id: text,
      rule: text,
      subject: { ...text, description: 'The queue, or "projection".' },
      text: { ...text, description: 'In words.' },
      value: { type: 'number' },
      above: { type: 'number', description: 'The limit of the rule.' },
      since: whole,
      resolvedAt: whole,
      toldAt: whole,
    },
    ['resolvedAt', 'toldAt'],
  ),
  AuditEntry: {
    type: 'object',
    description: 'A control message or a replay, as it was told.',
    properties: { at: moment, kind: text, by: text, service: text, host: text },
    required: ['at', 'kind', 'by'],
  },
  Projection: object(
    {
      prefix: text,
      projecting: { type: 'boolean', description: 'This replica does it.' },
      nextOffset: { ...whole, description: 'In the stream.' },
      lagMs: {
        ...whole,
        description: 'How far the records are behind the stream; absent where not known yet.',
      },
      rebuilding: {
        type: 'boolean',
        description: 'Records before the stream position of the rebuild may be missing.',
      },
      missingBatches: {
        ...whole,
        description: 'That senders dropped because the stream took nothing for long.',
      },
      refused: { ...whole, description: 'Events and messages on the stream that are none.' },
      jobs: whole,
    },
    ['lagMs'],
  ),
};
