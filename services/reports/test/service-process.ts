import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** The reports service in a process of its own, started as its README says. */
export class ServiceProcess {
  readonly output: string[] = [];
  readonly exited: Promise<number | null>;
  private readonly child: ChildProcess;
  private readonly waiting = new Set<() => void>();
  private over = false;

  constructor(environment: Record<string, string>) {
    this.child = spawn('npm', ['start', '-w', 'services/reports'], {
      cwd: root,
      env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, so that `end` reaches what npm has started.
      detached: true,
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.output.push(line);
        this.tell();
      });
    }
    this.exited = once(this.child, 'close').then(([code]) => {
      this.over = true;
      this.tell();
      return code as number | null;
    });
  }

  /** The first line of output that has all these texts in it, once there is one. */
  async line(...texts: string[]): Promise<string> {
    for (;;) {
      const found = this.output.find((line) => texts.every((text) => line.includes(text)));
      if (found !== undefined) return found;
      if (this.over)
        throw new Error(`the service ended without saying ${texts.join(' … ')}:\n${this.output.join('\n')}`);
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  /** As an operator stops it: SIGTERM to the command that was started. */
  terminate(): void {
    this.child.kill('SIGTERM');
  }

  /** For the end of a test: nothing of it is left. */
  async end(): Promise<void> {
    if (!this.over && this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGKILL');
    await this.exited;
  }

  private tell(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}
