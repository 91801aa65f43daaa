import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Duration } from '../base/duration.js';
import { toError } from '../base/errors.js';
import { JobClient } from '../client.js';
import { exitCode, Failure } from './exit.js';
import { command, type SessionOptions, withSession } from './session.js';
import { print, printJson } from './terminal.js';

interface EnqueueFlags extends SessionOptions {
  delay?: string;
  priority?: string;
  id?: string;
  expiresIn?: string;
}

/** `jobrail enqueue <contract> <json>` */
export function enqueueCommand(): Command {
  return command(
    'enqueue',
    'enqueue a job; its payload is checked against its contract first',
    `jobrail enqueue email.send '{"to":"ada@example.com","template":"welcome","data":{}}' --contracts dist/src/jobs.js
jobrail enqueue reports.build @order.json --delay 10m --priority 2`,
  )
    .argument('<contract>', 'name of the contract')
    .argument('[payload]', 'JSON, @file, or - for standard input', '{}')
    .option('--delay <duration>', 'such as 30s, 10m, 2h')
    .option('--priority <number>', '0 (default) to the most urgent of the queue')
    .option('--id <id>', 'id of the job')
    .option('--expires-in <duration>', 'ends as expired if it has not started by then')
    .action((name: string, payload: string, flags: EnqueueFlags) =>
      withSession(flags, async (session) => {
        const contract = await session.contract(name);
        const value = await readPayloadArgument(payload);
        const client = new JobClient({
          broker: await session.broker(),
          prefix: session.prefix,
          name: 'jobrail cli',
        });
        try {
          const { id } = await client.enqueue(contract, value, {
            ...(flags.delay !== undefined && { delay: flags.delay as Duration }),
            ...(flags.priority !== undefined && { priority: Number(flags.priority) }),
            ...(flags.id !== undefined && { id: flags.id }),
            ...(flags.expiresIn !== undefined && { expiresIn: flags.expiresIn as Duration }),
          });
          if (session.json) printJson({ id, contract: name, queue: contract.queue.name });
          else print(`${id}\nNext: jobrail job ${id}`);
        } finally {
          await client.close();
        }
      }),
    );
}

/** JSON from the command line, a file or standard input. @throws Failure for what cannot be read or is no JSON */
export async function readPayloadArgument(argument: string): Promise<unknown> {
  let json = argument;
  try {
    if (argument === '-') json = await readAll(process.stdin);
    else if (argument.startsWith('@')) json = await readFile(argument.slice(1), 'utf8');
  } catch (error) {
    throw new Failure(exitCode.usage, `The payload cannot be read: ${toError(error).message}.`);
  }
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    throw new Failure(exitCode.usage, `The payload is no JSON: ${toError(error).message}. Quote it for the shell: '{"to":"ada@example.com"}'.`); // prettier-ignore
  }
}
