import { Writable } from 'node:stream';

export type LogLine = Record<string, unknown> & { msg: string };

/** The JSON lines of a pino log, to look through and to wait for. */
export class LogLines extends Writable {
  readonly all: LogLine[] = [];
  #rest = '';
  #waiting: { wanted: (line: LogLine) => boolean; found: (line: LogLine) => void }[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const lines = (this.#rest + chunk.toString()).split('\n');
    this.#rest = lines.pop()!;
    for (const text of lines) this.#take(JSON.parse(text) as LogLine);
    done();
  }

  /** The first line with this message, past or to come. */
  next(message: string): Promise<LogLine> {
    const wanted = ({ msg }: LogLine) => msg === message;
    const past = this.all.find(wanted);
    if (past) return Promise.resolve(past);
    return new Promise((found) => this.#waiting.push({ wanted, found }));
  }

  #take(line: LogLine): void {
    this.all.push(line);
    this.#waiting = this.#waiting.filter(({ wanted, found }) => {
      if (!wanted(line)) return true;
      found(line);
      return false;
    });
  }
}
