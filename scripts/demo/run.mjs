import { relative } from 'node:path';
import { CHECKS } from './checks/all.mjs';
import { goOn } from './everyday.mjs';
import { SOURCES } from './inputs.mjs';
import { paintFor } from './paint.mjs';
import { openScreen } from './screen.mjs';
import { openStage } from './stage.mjs';
import { BACKLOG, DELAY_MS, tellStory } from './story.mjs';
import { drawTrace } from './trace-tree.mjs';
import { unlessAborted } from './unless-aborted.mjs';
/** @import { DemoOptions } from './options.mjs' */
/** @import { Facts } from './story.mjs' */
/** @import { Stage } from './stage.mjs' */

const WATCH_FOR = [
  `a password reset that overtakes ${BACKLOG} newsletter mails`,
  `a mail that is asked for at once and sent ${DELAY_MS / 1_000} s later, not earlier`,
  'a mail that the mail server refuses twice and takes the third time',
  'a mail to nobody, and a text file named photo.jpg, that end as dead letters',
  'two reports and the mails they enqueue, in the traces of their requests',
];

const paint = paintFor(process.stdout);

/**
 * Sets the stage, tells the story, checks what came of it, goes on until interrupted unless `once`, and clears the
 * stage.
 *
 * @param {DemoOptions} options
 * @param {AbortSignal} interrupted
 * @returns {Promise<boolean>} Whether all was as it must be.
 * @throws {Error} what went wrong, or the reason of `interrupted`.
 */
export async function runDemo({ once, port }, interrupted) {
  const startedAt = Date.now();
  const note = (/** @type {string} */ line) => console.log(paint('dim', line));
  note('Starting a broker, a mail server, a receiver of traces and the services …');
  const stage = await openStage({ port, interrupted, note });
  const screen = openScreen(stage.board, process.stdout);
  try {
    introduce(stage);
    screen.start();
    const facts = await tellStory(stage);
    screen.finish();

    const right = await check(facts, stage);
    tellDeadLetters(facts);
    tellTrace(facts, stage);
    tellWhere(stage);
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
    console.log(
      `\n${right ? paint('green', 'All as it must be') : paint('red', 'Not as it must be')}, after ${seconds} s.`,
    );
    if (once || !right) return right;

    console.log(`The services go on, with a little traffic. ${paint('bold', 'Ctrl-C ends it.')}\n`);
    stage.board.forgetEnded();
    screen.start();
    return await goOn(stage);
  } finally {
    screen.finish();
    await stage.close();
  }
}

/** @param {Stage} stage */
function introduce({ rail, api }) {
  const facts = [
    { what: 'broker', text: rail.words },
    ...(rail.mend ? [{ what: '', text: rail.mend }] : []),
    {
      what: 'services',
      text: `api, email, media, reports, ${rail.connect ? 'all in this process' : 'each a process'}`,
    },
    { what: 'api', text: api.url },
    ...SOURCES.map(({ what, source }) => ({ what, text: source })),
  ];
  heading('Jobrail: background jobs on RabbitMQ');
  for (const { what, text } of facts) console.log(`  ${paint('cyan', what.padEnd(8))}  ${text}`);
  heading('Watch for');
  for (const line of WATCH_FOR) console.log(`  • ${line}`);
  console.log();
}

/**
 * @param {Facts} facts
 * @param {Stage} stage
 * @returns {Promise<boolean>}
 */
async function check(facts, stage) {
  heading('Checked');
  let right = true;
  for (const { name, run } of CHECKS) {
    const result = await unlessAborted(outcomeOf(run(facts, stage)), stage.signal);
    right &&= result.ok;
    const sign = result.ok ? paint('green', '✓') : paint('red', '✗');
    console.log(`  ${sign} ${name.padEnd(12)} ${result.text}`);
  }
  return right;
}

/** @param {Promise<string>} checking */
async function outcomeOf(checking) {
  try {
    return { ok: true, text: await checking };
  } catch (error) {
    return { ok: false, text: error instanceof Error ? error.message : String(error) };
  }
}

/** @param {Facts} facts */
function tellDeadLetters({ deadLetters: { email, media } }) {
  heading('Dead letters, as they lie in their queues');
  for (const { id, contract, reason, queue, error } of [...email, ...media]) {
    console.log(`  ${id}  ${paint('cyan', contract)}  ${paint('red', reason)}  in ${queue}`);
    console.log(`    ${error}`);
  }
}

/** @param {Facts} facts @param {Stage} stage */
function tellTrace({ reports: { pdf } }, { traces }) {
  const spans = traces.trace(pdf.traceId);
  if (spans.length === 0) return;
  heading(`The PDF report as one trace, ${pdf.traceId}`);
  for (const line of drawTrace(spans, paint)) console.log(`  ${line}`);
}

/** @param {Stage} stage */
function tellWhere({ folder }) {
  const path = relative(process.cwd(), folder);
  heading('Look at');
  console.log(`  ${path}/files  the pictures and reports`);
  console.log(`  ${path}/mails  what the mail server got`);
  console.log(`  ${path}/logs   what the services wrote`);
}

/** @param {string} text */
function heading(text) {
  console.log(`\n${paint('bold', text)}`);
}
