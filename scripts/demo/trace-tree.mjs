import { span as duration } from './table.mjs';
/** @import { Paint } from './paint.mjs' */
/** @import { Span } from './trace-receiver.mjs' */

/**
 * A trace as a tree, a line for each span: service, name, how long it took.
 *
 * @param {Span[]} spans Of one trace, in order of their start.
 * @param {Paint} paint
 * @returns {string[]}
 */
export function drawTrace(spans, paint) {
  const known = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => !parentSpanId || !known.has(parentSpanId));
  const width = Math.max(...spans.map(({ service }) => service.length));

  /** @param {Span} span @param {number} depth @returns {string[]} */
  const draw = (span, depth) => {
    const branch = depth ? `${'   '.repeat(depth - 1)}└─ ` : '';
    const name = `${branch}${span.name}`.padEnd(36);
    const took = duration(span.ms).padStart(8);
    const line = `${paint('cyan', span.service.padEnd(width))}  ${name} ${took}${span.failed ? paint('red', '  failed') : ''}`;
    const children = spans.filter(({ parentSpanId }) => parentSpanId === span.spanId);
    return [line, ...children.flatMap((child) => draw(child, depth + 1))];
  };
  return roots.flatMap((root) => draw(root, 0));
}
