import type { Command } from 'commander';
import { command, Session, type SessionOptions } from './session.js';
import { print, printable } from './terminal.js';
import { exitCode, Failure } from './exit.js';

const scripts: Record<string, string> = {
  bash: `_jobrail() { mapfile -t COMPREPLY < <(jobrail __complete "$COMP_CWORD" "\${COMP_WORDS[@]}" 2>/dev/null); }
complete -o default -F _jobrail jobrail`,
  zsh: `#compdef jobrail
_jobrail() { compadd -- \${(f)"$(jobrail __complete $((CURRENT - 1)) "\${words[@]}" 2>/dev/null)"} }
compdef _jobrail jobrail`,
  fish: `complete -c jobrail -f -a '(jobrail __complete (count (commandline -opc)) (commandline -opc) (commandline -ct) 2>/dev/null)'`,
};

/** Commands whose first argument is the name of a queue or a contract. */
const named: Record<string, 'queue' | 'contract' | 'service'> = {
  pause: 'queue',
  resume: 'queue',
  enqueue: 'contract',
  drain: 'service',
};

/** `jobrail completion <shell>`, and what its script calls. */
export function completionCommands(program: Command): Command[] {
  const completion =
    command('completion', 'a script for the shell that completes commands, contracts and queues', 'source <(jobrail completion bash)') // prettier-ignore
      .argument('<shell>', `one of ${Object.keys(scripts).join(', ')}`)
      .action((shell: string) => {
        const script = scripts[shell];
        if (script === undefined) throw new Failure(exitCode.usage, `There is no completion for "${shell}"; there is ${Object.keys(scripts).join(', ')}.`); // prettier-ignore
        print(script);
      });
  const complete = command(
    '__complete',
    'what can stand at a place of the command line',
    'jobrail __complete 1 jobrail pa',
  )
    .argument('<place>')
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (place: string, words: string[], options: SessionOptions) => {
      const at = Number(place);
      const begun = words[at] ?? '';
      for (const candidate of await candidates(program, words.slice(1, at), options)) {
        // A shell shows names as they are.
        if (candidate.startsWith(begun) && candidate === printable(candidate)) print(candidate);
      }
    });
  return [completion, complete];
}

async function candidates(program: Command, before: string[], options: SessionOptions): Promise<string[]> {
  let at = program;
  let rest = before;
  for (let next: Command | undefined; (next = at.commands.find((one) => one.name() === rest[0])); rest = rest.slice(1)) at = next; // prettier-ignore
  if (at.commands.length > 0)
    return at.commands.map((one) => one.name()).filter((name) => !name.startsWith('_'));
  const kind = named[at.name()];
  const flags = at.options.flatMap(({ long }) => long ?? []);
  if (kind === undefined || rest.length > 0) return flags;
  const session = new Session(options);
  try {
    if (kind === 'contract' && session.hasContracts)
      return (await session.contracts()).map(({ name }) => name);
    const queues = await session.knownQueues();
    if (kind === 'queue') return queues.map(({ name }) => name);
    return [...new Set(queues.flatMap((queue) => (kind === 'contract' ? queue.contracts : queue.services)))];
  } finally {
    await session.close();
  }
}
