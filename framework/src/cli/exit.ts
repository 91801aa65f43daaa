import { BrokerError, JobrailError, toError } from '../base/errors.js';
import { redact } from '../base/redact.js';
import { printableLines } from './terminal.js';

/** What a process of the CLI ends with. `docs/cli.md` lists the same. */
export const exitCode = {
  done: 0,
  /** Something went wrong, or is wrong: the output says what. */
  wrong: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** There is no such job, dead letter, queue or service. */
  unknown: 3,
  /** The broker or the monitor cannot be reached. */
  unreachable: 4,
} as const;

/** Ends the command with a message for people. */
export class Failure extends Error {
  override readonly name = 'Failure';
  constructor(
    readonly code: (typeof exitCode)[keyof typeof exitCode],
    message: string,
  ) {
    super(message);
  }
}

/** Tells on stderr what was thrown and sets the exit code. */
export function report(thrown: unknown): void {
  const error = toError(thrown);
  const known = error instanceof JobrailError ? `${error.code}: ${error.message}` : error.message;
  const text =
    error instanceof Failure || error instanceof JobrailError ? known : String(error.stack ?? error);
  process.stderr.write(`${printableLines(redact(text)).join('\n')}\n`);
  process.exitCode =
    error instanceof Failure
      ? error.code
      : error instanceof BrokerError
        ? exitCode.unreachable
        : error instanceof JobrailError && error.code === 'JR_OPTION_INVALID'
          ? exitCode.usage
          : exitCode.wrong;
}
