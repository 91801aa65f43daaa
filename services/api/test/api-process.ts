import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LogLines } from './log-lines.js';

const main = fileURLToPath(new URL('../src/main.js', import.meta.url));

/** The service as it is started in production: its own process, configured by environment alone. */
export class ApiProcess {
  readonly log = new LogLines();
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor(env: Record<string, string>) {
    this.#child = spawn(process.execPath, [main], {
      env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', OTEL_SDK_DISABLED: 'true', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout!.pipe(this.log);
    this.#exited = once(this.#child, 'exit');
  }

  /** Where it listens, once it does. */
  async url(): Promise<string> {
    const { port } = await this.log.next('listening');
    return `http://127.0.0.1:${String(port)}`;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its exit code once it has ended; null when a signal ended it. */
  async exitCode(): Promise<number | null> {
    const [code] = (await this.#exited) as [number | null];
    return code;
  }

  async stderr(): Promise<string> {
    let text = '';
    for await (const chunk of this.#child.stderr!) text += String(chunk);
    return text;
  }

  /** For the end of a test, however it went. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
