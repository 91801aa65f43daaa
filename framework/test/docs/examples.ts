import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Root of the repository; this file runs in `framework/dist/test/docs`. */
const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** A fenced block of a page, and the text between it and the block before. */
export interface CodeBlock {
  language: string;
  code: string;
  before: string;
}

/** @param page path from the root of the repository. */
export async function readPage(page: string): Promise<string> {
  return readFile(join(root, page), 'utf8');
}

export function codeBlocks(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let end = 0;
  for (const match of page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)) {
    blocks.push({ language: match[1]!, code: match[2]!, before: page.slice(end, match.index) });
    end = match.index + match[0].length;
  }
  return blocks;
}

/** Sources written into a folder of the workspace, so that their imports find what is installed, and compiled there. */
export class CompiledExample {
  private constructor(
    private readonly folder: string,
    /** What the compiler says, as text; empty when all is well. */
    readonly complaints: string,
  ) {}

  /**
   * @param files by path, such as `src/jobs.ts`.
   * @param compilerOptions as in a tsconfig.json.
   */
  static async of(files: Record<string, string>, compilerOptions: object): Promise<CompiledExample> {
    const folder = join(root, 'framework/dist', `example-${randomUUID().slice(0, 8)}`);
    const paths = Object.keys(files).map((path) => join(folder, path));
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const { options, errors } = ts.convertCompilerOptionsFromJson(compilerOptions, folder);
    const program = ts.createProgram(paths, { ...options, noEmitOnError: false });
    const { diagnostics } = program.emit();
    const all = [...errors, ...ts.getPreEmitDiagnostics(program), ...diagnostics];
    const host = {
      getCanonicalFileName: (name: string) => name,
      getCurrentDirectory: () => folder,
      getNewLine: () => '\n',
    };
    return new CompiledExample(folder, ts.formatDiagnostics(all, host));
  }

  /** A compiled file, such as `dist/send.js`. */
  file(path: string): URL {
    return new URL(path, `file://${this.folder}/`);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
