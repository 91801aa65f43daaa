#!/usr/bin/env node
import { Command } from 'commander';
import { completionCommands } from './completion.js';
import { controlCommands } from './control.js';
import { deadCommand } from './dead.js';
import { doctorCommand } from './doctor.js';
import { enqueueCommand } from './enqueue.js';
import { eventsCommand } from './events.js';
import { exitCode, report } from './exit.js';
import { jobCommands } from './jobs.js';
import { overviewCommands } from './overview.js';
import { topCommand } from './top.js';
import { topologyCommand } from './topology.js';

const program = new Command('jobrail')
  .description('Background jobs on RabbitMQ: look at what runs and put it right.')
  .addHelpText('after', helpEnd());
const commands = [
  ...overviewCommands(),
  ...jobCommands(),
  enqueueCommand(),
  deadCommand(),
  ...controlCommands(),
  topCommand(),
  eventsCommand(),
  doctorCommand(),
  topologyCommand(),
];
for (const command of commands) program.addCommand(command);
const [completion, complete] = completionCommands(program);
program.addCommand(completion!);
program.addCommand(complete!, { hidden: true });
exitTwoOnMisuse(program);

// Whoever reads the output may stop early, as `head` does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(exitCode.done);
});

try {
  await program.parseAsync();
} catch (error) {
  report(error);
}

function helpEnd(): string {
  return `
Exit codes: 0 done; 1 something is wrong, and said; 2 the command line is wrong; 3 no such job, dead letter, queue or
service; 4 the broker or the monitor cannot be reached.

Environment: AMQP_URL, JOBRAIL_PREFIX, JOBRAIL_MONITOR_URL, JOBRAIL_MONITOR_TOKEN, JOBRAIL_CONTRACTS, JOBRAIL_STORE_URL,
JOBRAIL_BY (who acts, for the audit).

Examples:
  jobrail status
  jobrail job 01983c1e-0000-7000-8000-000000000000
  jobrail dead list
  jobrail pause email`;
}

/** Not inherited by subcommands that were made elsewhere. */
function exitTwoOnMisuse(command: Command): void {
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? exitCode.done : exitCode.usage));
  command.commands.forEach(exitTwoOnMisuse);
}
