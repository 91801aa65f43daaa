import { must } from './check.mjs';
/** @import { Check } from './check.mjs' */

/** The spans of a report that is mailed, and the service that makes each: every one the parent of the next. */
const PATH = [
  { name: 'POST /reports', service: 'api' },
  { name: 'send report.build', service: 'api' },
  { name: 'process report.build', service: 'reports' },
  { name: 'send email.send', service: 'reports' },
  { name: 'process email.send', service: 'email' },
];

/** @type {Check} */
export const oneTrace = {
  name: 'trace',
  async run({ reports: { pdf } }, { traces, rail, signal }) {
    const complete = () =>
      PATH.every(({ name }) => traces.trace(pdf.traceId).some((span) => span.name === name));
    await traces.changes.until(complete, { what: 'The last span of the report', withinMs: 30_000, signal });
    const spans = traces.trace(pdf.traceId);
    /** @type {string | undefined} */
    let parent;
    for (const { name, service } of PATH) {
      const span = spans.find(
        (candidate) => candidate.name === name && (!parent || candidate.parentSpanId === parent),
      );
      must(span !== undefined, `"${name}" is not the child of the span before it`);
      must(
        Boolean(rail.connect) || span.service === service,
        `"${name}" is a span of ${span.service}, not ${service}`,
      );
      parent = span.spanId;
    }
    const services = new Set(spans.map(({ service }) => service));
    const across = rail.connect ? 'all made in this one process' : `of ${[...services].join(', ')}`;
    return `the request for the report, its job and its mail are one trace: ${spans.length} spans ${across}`;
  },
};
