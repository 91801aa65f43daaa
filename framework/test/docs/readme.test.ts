import { expect } from 'chai';
import { z } from 'zod';
import { defineJob, defineQueue } from '../../src/index.js';
import { startChild } from '../flow/child.js';
import { useStage } from '../flow/stage.js';
import { codeBlocks, CompiledExample, readPage } from './examples.js';

describe('README.md', () => {
  const stage = useStage();

  it('has an example of some thirty lines that compiles strictly, runs, and ends well', async function () {
    this.timeout(60_000);
    const example = codeBlocks(await readPage('README.md')).find(({ language }) => language === 'ts');
    if (!example) throw new Error('README.md has no ```ts block');
    expect(example.code).to.match(/^\/\/ example: /);
    expect(example.code.trim().split('\n').length).to.be.within(20, 60);

    const { compilerOptions } = JSON.parse(await readPage('tsconfig.base.json')) as {
      compilerOptions: object;
    };
    const compiled = await CompiledExample.of(
      { 'example.ts': example.code },
      { ...compilerOptions, composite: false },
    );
    stage.atEnd(() => compiled.remove());
    expect(compiled.complaints).to.equal('');

    const queue = defineQueue('email', { priorities: 3 });
    stage.owns(defineJob('email.send', { queue, payload: z.unknown() }));
    const child = startChild(stage, compiled.file('example.js'), stage.env);
    const said = (text: string) => stage.signals.when(() => child.output.stdout.includes(text), `"${text}"`);
    await said("is on the broker's disk");
    await said('attempt 1: \\"Welcome\\" goes to ada@example.com');
    await said('job completed');
    child.process.kill('SIGTERM');
    expect(await child.exited, child.output.stderr).to.equal(0);
    expect(child.output.stderr).to.equal('');
  });
});
