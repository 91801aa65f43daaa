import { expect } from 'chai';
import { runProgram } from '../../src/video/run-program.js';
import { failureOf } from '../failure-of.js';

const node = process.execPath;

describe('running a program', () => {
  it('gives its lines, its exit code and what it complained of', async () => {
    const lines: string[] = [];
    const script = 'console.log("a\\nb"); console.error("oh no"); process.exitCode = 3';
    const run = await runProgram(node, ['-e', script], { onLine: (line) => lines.push(line) });
    expect(lines).to.deep.equal(['a', 'b']);
    expect(run).to.deep.equal({ exitCode: 3, killedBy: null, errorTail: 'oh no' });
  });

  it('keeps the last 4 KiB of the complaints', async () => {
    const { errorTail } = await runProgram(node, ['-e', 'process.stderr.write("x".repeat(1e6) + "the end")']);
    expect(errorTail)
      .to.have.length(4_096)
      .and.match(/xthe end$/);
  });

  it('does not stall on output that nobody reads', async () => {
    const run = await runProgram(node, ['-e', 'process.stdout.write("x".repeat(1e6))']);
    expect(run.exitCode).to.equal(0);
  });

  it('hands on no variables of the service', async () => {
    process.env['AMQP_PASSWORD_OF_TEST'] = 'secret';
    try {
      const lines: string[] = [];
      await runProgram(node, ['-p', 'Object.keys(process.env).join()'], {
        onLine: (line) => lines.push(line),
      });
      expect(lines.join()).to.include('PATH').and.not.include('AMQP_PASSWORD_OF_TEST');
    } finally {
      delete process.env['AMQP_PASSWORD_OF_TEST'];
    }
  });

  it('takes nothing in an argument for shell syntax', async () => {
    const lines: string[] = [];
    const args = ['-p', 'process.argv[1]', '$(id); `id` && "x"'];
    await runProgram(node, args, { onLine: (line) => lines.push(line) });
    expect(lines).to.deep.equal(['$(id); `id` && "x"']);
  });

  it('tells of a program that is not there', async () => {
    const error = await failureOf(runProgram('no-such-program', []));
    expect(error).to.include({ code: 'ENOENT', syscall: 'spawn no-such-program' });
  });

  it('is killed by the signal, and has ended when the promise rejects', async () => {
    const stop = new AbortController();
    const reason = new Error('time is over');
    let pid = 0;
    // It ignores SIGTERM, as a program in the middle of something may.
    const script = 'process.on("SIGTERM", () => {}); console.log(process.pid); setInterval(() => {}, 1000)';
    const onLine = (line: string): void => {
      pid = Number(line);
      stop.abort(reason);
    };
    expect(await failureOf(runProgram(node, ['-e', script], { signal: stop.signal, onLine }))).to.equal(
      reason,
    );
    expect(pid).to.be.above(0);
    expect(() => process.kill(pid, 0)).to.throw('ESRCH');
  });

  it('is not even started when the signal has aborted already', async () => {
    const reason = new Error('time is over');
    const run = runProgram('no-such-program', [], { signal: AbortSignal.abort(reason) });
    expect(await failureOf(run)).to.equal(reason);
  });
});
