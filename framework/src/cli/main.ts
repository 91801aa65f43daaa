#!/usr/bin/env node
import { Command } from 'commander';
import { JobrailError } from '../base/errors.js';
import { redact } from '../base/redact.js';
import { topologyCommand } from './topology.js';

/* Exit codes: 0 as asked; 1 something is wrong, and said; 2 the command line is wrong. */

const program = new Command('jobrail')
  .description('Background jobs on RabbitMQ: look at what runs and put it right.')
  .addCommand(topologyCommand());
exitTwoOnMisuse(program);

try {
  await program.parseAsync();
} catch (error) {
  const known = error instanceof JobrailError;
  process.stderr.write(
    `${redact(known ? `${error.code}: ${error.message}` : String((error as Error).stack ?? error))}\n`,
  );
  process.exitCode = 1;
}

/** Not inherited by subcommands that were made elsewhere. */
function exitTwoOnMisuse(command: Command): void {
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  command.commands.forEach(exitTwoOnMisuse);
}
