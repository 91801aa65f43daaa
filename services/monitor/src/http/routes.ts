import type { Request } from 'express';
import type { Database } from 'jobrail/store';
import { AlertStore } from '../alerts/alert-store.js';
import type { LaneDepths } from '../alerts/lane-depths.js';
import { askRebuild } from '../projection/rebuild.js';
import { jobStates } from '../records/job-record.js';
import { readJobQuery } from '../search/job-query.js';
import { QueryError } from '../search/query-error.js';
import { type Records, shortened, type StateCounts } from '../search/records.js';
import { HttpError } from './http-error.js';
import type { LiveUpdates } from './live-updates.js';
import type { Parameter, Route } from './route.js';
import { listOf, ref } from './schemas.js';

export interface RouteParts {
  database: Database;
  records: Records;
  live: LiveUpdates;
  lanes: LaneDepths;
  /** True while this replica projects. */
  projecting: () => boolean;
}

const text = { type: 'string' } as const;
const several = 'Several by commas or by repeating it';
const dayMs = 86_400_000;

const search: Parameter[] = [
  {
    name: 'q',
    in: 'query',
    schema: text,
    description:
      'What a person types: field:value words, as in `to:ada@example.com state:dead`; a field that is none of the others here is a path in the payload, a word without a field is an id.',
  },
  { name: 'id', in: 'query', schema: text, many: true, description: `Id of a job. ${several}.` },
  { name: 'contract', in: 'query', schema: text, many: true, description: `Contract; \`email.*\` for all that begin so. ${several}.` },
  { name: 'queue', in: 'query', schema: text, many: true, description: `Queue. ${several}.` },
  { name: 'service', in: 'query', schema: text, many: true, description: `Service that last ran it. ${several}.` },
  { name: 'state', in: 'query', schema: text, many: true, description: `State: ${jobStates.join(', ')}. ${several}.` },
  { name: 'fingerprint', in: 'query', schema: text, description: 'Of the error that an attempt last failed with.' },
  { name: 'trace', in: 'query', schema: text, description: 'Trace id.' },
  { name: 'root', in: 'query', schema: text, description: 'Id of the first job of a chain: all that came of it.' },
  { name: 'payload', in: 'query', schema: text, many: true, description: 'A value in the payload, as `path:value`; all of them must be there. Case does not matter.' },
  { name: 'after', in: 'query', schema: text, description: 'Enqueued at or after: `2026-03-01T12:00Z`, milliseconds since 1970, or `2h` and `7d` for back from now.' },
  { name: 'before', in: 'query', schema: text, description: 'Enqueued before.' },
  { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 }, description: 'Jobs of a page.' },
  { name: 'cursor', in: 'query', schema: text, description: '`next` of the page before, with all else the same.' },
]; // prettier-ignore

/** All operations of the API. */
export function routesOf({ database, records, live, lanes, projecting }: RouteParts): Route[] {
  const alerts = new AlertStore(database);
  return [
    {
      method: 'get',
      path: '/jobs',
      id: 'searchJobs',
      summary: 'Search jobs, the newest first',
      description: 'Without payload, result and stack: those are in `/jobs/{id}`.',
      parameters: search,
      answer: { status: 200, description: 'A page of jobs.', schema: ref('JobPage') },
      async handle(request) {
        const { query, page } = readJobQuery(request.query as Record<string, string | string[]>);
        const { jobs, ...rest } = await records.search.find(query, page);
        return { jobs: jobs.map(shortened), ...rest };
      },
    },
    {
      method: 'get',
      path: '/jobs/{id}',
      id: 'getJob',
      summary: 'One job with its history and its child jobs',
      parameters: [{ name: 'id', in: 'path', schema: text, description: 'Of the job.' }],
      answer: { status: 200, description: 'The job.', schema: ref('JobDetail') },
      errors: { 404: 'No job of this id is known: never enqueued, not recorded yet, or no longer kept.' },
      async handle(request) {
        const id = String(request.params['id']);
        const job = id.length > 255 || id.includes('\0') ? undefined : await records.job(id);
        if (job) return job;
        throw new HttpError(404, 'JOB_UNKNOWN', 'No job of this id is known.');
      },
    },
    {
      method: 'get',
      path: '/queues',
      id: 'listQueues',
      summary: 'Queues: jobs by state, the one that waits longest, and what the broker has',
      answer: { status: 200, description: 'By name.', schema: listOf(ref('Queue')) },
      async handle() {
        const queues = new Map<string, StateCounts>();
        for (const { queue, states } of await records.counts()) {
          const sum = queues.get(queue) ?? {};
          for (const [state, jobs] of Object.entries(states)) {
            sum[state as keyof StateCounts] = (sum[state as keyof StateCounts] ?? 0) + jobs;
          }
          queues.set(queue, sum);
        }
        const names = [...queues.keys()].sort();
        return Promise.all(
          names.map(async (queue) => ({
            queue,
            states: queues.get(queue)!,
            oldestWaitingAt: await records.oldestWaiting(queue),
            lanes: await lanes.of(queue),
          })),
        );
      },
    },
    {
      method: 'get',
      path: '/kinds',
      id: 'listKinds',
      summary: 'Contracts, with queue and service: jobs by state',
      answer: { status: 200, description: 'One of each that was seen.', schema: listOf(ref('Kind')) },
      handle: () => records.counts(),
    },
    {
      method: 'get',
      path: '/failures',
      id: 'listFailures',
      summary: 'Dead letters by cause, the most frequent first',
      answer: { status: 200, description: 'Groups.', schema: listOf(ref('FailureGroup')) },
      handle: () => records.failures(),
    },
    {
      method: 'get',
      path: '/minutes',
      id: 'listMinutes',
      summary: 'Attempts that ended, by minute and outcome',
      parameters: [
        { name: 'after', in: 'query', schema: text, description: 'As in `/jobs`. Default `1h`.' },
        { name: 'before', in: 'query', schema: text, description: 'As in `/jobs`. Default now.' },
        { name: 'queue', in: 'query', schema: text, description: 'Of one queue only.' },
      ],
      answer: { status: 200, description: 'In order of time.', schema: listOf(ref('Minute')) },
      async handle({ query }) {
        const { after, before, queue, ...others } = query as Record<string, string | undefined>;
        for (const name in others) throw new QueryError(name, 'is not known; there are after, before, queue');
        if (Array.isArray(queue)) throw new QueryError('queue', 'is there twice');
        const times = readJobQuery({ ...(after && { after }), ...(before && { before }) }).query;
        const until = times.to ?? Date.now() + dayMs;
        const since = Math.max(times.from ?? Date.now() - 3_600_000, until - 31 * dayMs);
        return records.minutes(since, until, queue);
      },
    },
    {
      method: 'get',
      path: '/workers',
      id: 'listWorkers',
      summary: 'Processes that host handlers, by their last heartbeat',
      answer: { status: 200, description: 'By service.', schema: listOf(ref('Worker')) },
      handle: () => records.workers(Date.now()),
    },
    {
      method: 'get',
      path: '/alerts',
      id: 'listAlerts',
      summary: 'Alerts: those that hold, then those that are over',
      answer: { status: 200, description: 'The newest first.', schema: listOf(ref('Alert')) },
      handle: () => alerts.list(),
    },
    {
      method: 'get',
      path: '/audit',
      id: 'listAudit',
      summary: 'What people did: pauses, cancels, replays; the newest first',
      parameters: [
        { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 }, description: 'Entries.' },
      ], // prettier-ignore
      answer: { status: 200, description: 'Entries.', schema: listOf(ref('AuditEntry')) },
      handle: ({ query }) => records.audit(readJobQuery(onlyLimit(query)).page.limit),
    },
    {
      method: 'get',
      path: '/projection',
      id: 'getProjection',
      summary: 'How the records stand to the event stream',
      answer: { status: 200, description: 'Of all replicas.', schema: ref('Projection') },
      handle: async () => ({ ...(await records.projection()), projecting: projecting() }),
    },
    {
      method: 'post',
      path: '/projection/rebuild',
      id: 'rebuild',
      summary: 'Build the records anew from the stream',
      description:
        'Jobs that began before the stream does keep what is known of them. Until it is done (`rebuilding` of `/projection`), jobs are missing.',
      answer: { status: 202, description: 'The replica that projects does it.', schema: ref('Projection') },
      async handle() {
        await askRebuild(database);
        return { ...(await records.projection()), projecting: projecting() };
      },
    },
    {
      method: 'get',
      path: '/events',
      id: 'followEvents',
      summary: 'Events as they come (Server-Sent Events)',
      description:
        'The name of each is its kind, its data the event as JSON with service, host and instance of its sender. With `Last-Event-ID`, what came after it first.',
      parameters: [
        ...['job', 'contract', 'queue', 'service', 'kind'].map(
          (name): Parameter => ({ name, in: 'query', schema: text, many: true, description: `Only of this ${name}. ${several}.` }),
        ), // prettier-ignore
        {
          name: 'Last-Event-ID',
          in: 'header',
          schema: text,
          description: 'Id of the last event that arrived.',
        },
      ],
      answer: { status: 200, description: 'A stream without end.', type: 'text/event-stream' },
      async handle(request, response) {
        await live.serve(request, response);
        return undefined;
      },
    },
  ];
}

function onlyLimit(query: Request['query']): Record<string, string> {
  const { limit, ...others } = query as Record<string, string>;
  for (const name in others) throw new QueryError(name, 'is not known; there is limit');
  return limit === undefined ? {} : { limit };
}
