import { expect } from 'chai';
import { z } from 'zod';
import { defineJob, defineQueue } from '../../src/index.js';
import { startChild } from '../flow/child.js';
import { OtlpReceiver } from '../flow/otlp-receiver.js';
import { useStage } from '../flow/stage.js';
import { codeBlocks, CompiledExample, readPage } from './examples.js';

/** What the page says does not compile, and rejects when it is sent from JavaScript. */
const wrong = `
  import { JobClient } from 'jobrail';
  import { Greet } from './jobs.js';
  const client = new JobClient();
  await client.enqueue(Greet, { nme: 'Ada' });
`;

describe('docs/getting-started.md', () => {
  const stage = useStage();
  let compiled: CompiledExample;

  before('compile what stands on the page, by the settings that stand there', async function () {
    this.timeout(60_000);
    const blocks = codeBlocks(await readPage('docs/getting-started.md'));
    const config = blocks.find(({ before }) => before.includes('`tsconfig.json`'))!;
    const { compilerOptions } = JSON.parse(config.code) as { compilerOptions: object };
    const files = Object.fromEntries(
      blocks
        .filter(({ language }) => language === 'ts')
        .map(({ before, code }) => [/`(src\/[\w-]+\.ts)`/.exec(before)?.[1], code]),
    ) as Record<string, string>;
    expect(Object.keys(files)).to.deep.equal(['src/jobs.ts', 'src/service.ts', 'src/send.ts']);
    compiled = await CompiledExample.of({ ...files, 'src/wrong.ts': wrong }, compilerOptions);
    const queue = defineQueue('greetings', { priorities: 2 });
    stage.owns(defineJob('greetings.greet', { queue, payload: z.unknown() }));
  });
  after(() => compiled.remove());

  it('leads to jobs that run and to a trace', async () => {
    const receiver = await OtlpReceiver.start();
    stage.atEnd(() => receiver.stop());
    const env = {
      ...stage.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    };

    const sender = startChild(stage, compiled.file('dist/send.js'), env);
    expect(await sender.exited, sender.output.stderr).to.equal(0);
    const service = startChild(stage, compiled.file('dist/service.js'), env);
    const said = (text: string) =>
      stage.signals.when(() => service.output.stdout.includes(text), `"${text}"`);
    await said('Hello, Ada!');
    await said('Hello, Grumpy!');
    service.process.kill('SIGTERM');
    expect(await service.exited, service.output.stderr).to.equal(0);

    const attempts = receiver.spans.filter(({ name }) => name === 'process greetings.greet');
    const sends = receiver.spans.filter(({ name }) => name === 'send greetings.greet');
    expect(sends).to.have.length(3);
    const ofEach = sends.map(
      ({ spanId }) => attempts.filter(({ parentSpanId }) => parentSpanId === spanId).length,
    );
    expect(ofEach.slice(0, 2), 'attempts of Ada and Grumpy').to.deep.equal([1, 3]);
    expect(sends[0]!.resource).to.include({ 'service.name': 'sender' });
    expect(attempts[0]!.resource).to.include({ 'service.name': 'greeter' });
  });

  it('is right: a wrong payload does not compile, and nothing else on the page fails to', () => {
    expect(compiled.complaints).to.match(/^src\/wrong\.ts\(5,\d+\): error TS\d+: .*'nme' does not exist/);
    expect(compiled.complaints.match(/error TS/g)).to.have.length(1);
  });

  it('is right: sent from JavaScript, it rejects with a ContractError', async () => {
    const child = startChild(stage, compiled.file('dist/wrong.js'), stage.env);
    expect(await child.exited).to.equal(1);
    expect(child.output.stderr).to.match(/ContractError: .*name: Invalid input/);
  });
});
