import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { Liquid, LiquidError, type Template, UndefinedVariableError } from 'liquidjs';
import { EmailTemplate } from './jobs.js';
import { escapedForHtml, onOneLine, templateFilters, UnshowableValue } from './template-output.js';
import { TemplateError } from './template-error.js';

/** A mail as written: what the recipient reads. */
export interface WrittenMail {
  /** One line, at most 200 characters. */
  subject: string;
  html: string;
  text: string;
}

/** Values for the placeholders of a template. One that is null or blank counts as not given. */
export type TemplateData = Record<string, unknown>;

interface ParsedTemplate {
  subject: Template[];
  html: Template[];
  text: Template[];
}

const longestSubject = 200;

/**
 * The mail templates: a folder each with `subject.liquid`, `html.liquid` and `text.liquid`, and beside the folders the
 * pieces that the HTML ones share. Read and compiled once, when built; writing a mail touches no disk.
 *
 * Every value is escaped for HTML, or put on one line for text, unless a template says `raw`, which none does.
 */
export class Templates {
  private readonly htmlEngine: Liquid;
  private readonly textEngine: Liquid;
  private readonly product: string;
  private readonly parsed = new Map<EmailTemplate, ParsedTemplate>();

  /**
   * @param options.product how the mails call what they are sent for.
   * @throws TemplateError (`TEMPLATE_UNUSABLE`) naming the file.
   */
  constructor(options: { directory: string; product: string }) {
    const { directory } = options;
    const files = readFiles(directory);
    this.product = options.product;
    this.htmlEngine = engineOn(files, escapedForHtml);
    this.textEngine = engineOn(files, onOneLine);
    const parse = (engine: Liquid, file: string) => parsedOrThrow(engine, file, directory);
    for (const shared of sharedPieces) parse(this.htmlEngine, shared);
    for (const name of EmailTemplate.options) {
      this.parsed.set(name, {
        subject: parse(this.textEngine, `${name}/subject.liquid`),
        html: parse(this.htmlEngine, `${name}/html.liquid`),
        text: parse(this.textEngine, `${name}/text.liquid`),
      });
    }
  }

  /**
   * Fills in a template.
   * @throws TemplateError (`TEMPLATE_VALUE_MISSING`, `TEMPLATE_VALUE_REFUSED`) naming template and value.
   */
  write(name: EmailTemplate, data: TemplateData): WrittenMail {
    const template = this.parsed.get(name);
    if (template === undefined)
      throw new Error(`"${name}" is not in EmailTemplate, which the contract guards.`);
    const given = Object.entries(data).filter(([, value]) => !isBlank(value));
    const values = { ...Object.fromEntries(given), product: this.product };
    try {
      const subject = shortened(onOneLine(this.textEngine.renderSync(template.subject, values)));
      return {
        subject,
        html: this.htmlEngine.renderSync(template.html, { ...values, subject }) as string,
        text: this.textEngine.renderSync(template.text, values) as string,
      };
    } catch (error) {
      throw unwritable(name, error);
    }
  }
}

/** Parsed at start like the templates, so that one that is missing is not found by the first mail. */
const sharedPieces = ['layout.html.liquid', 'button.html.liquid'];

/** All template files, by path within the directory. */
function readFiles(directory: string): Record<string, string> {
  try {
    const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    const files = paths.filter((path) => path.endsWith('.liquid'));
    return Object.fromEntries(
      files.map((path) => [path.replaceAll(sep, '/'), readFileSync(join(directory, path), 'utf8')]),
    );
  } catch (cause) {
    throw unusable(`The template folder ${directory} cannot be read`, cause);
  }
}

function engineOn(files: Record<string, string>, outputEscape: (value: unknown) => string): Liquid {
  const engine = new Liquid({
    templates: files,
    cache: true,
    outputEscape,
    strictFilters: true,
    strictVariables: true,
    // Lets `{% if name %}` ask whether an optional value was given.
    lenientIf: true,
  });
  for (const [name, filter] of Object.entries(templateFilters)) engine.registerFilter(name, filter);
  return engine;
}

function parsedOrThrow(engine: Liquid, file: string, directory: string): Template[] {
  try {
    return engine.parseFileSync(file);
  } catch (cause) {
    throw unusable(`Template file "${file}" in ${directory} cannot be used`, cause);
  }
}

function unusable(what: string, cause: unknown): TemplateError {
  const mend = 'Correct it, or point TEMPLATES_DIR at the folder that has all of the files.';
  return new TemplateError('TEMPLATE_UNUSABLE', `${what}: ${messageOf(cause)}.`, mend, cause);
}

function unwritable(name: EmailTemplate, error: unknown): unknown {
  if (error instanceof UndefinedVariableError) {
    const missing = /undefined variable: ([\w.]+)/.exec(error.message)?.[1] ?? 'a value';
    return new TemplateError(
      'TEMPLATE_VALUE_MISSING',
      `The mail "${name}" needs data.${missing}, which is missing or blank.`,
      'Enqueue the job with it; the values that each template needs are listed at EmailTemplate in @jobrail/email/jobs.',
      error,
    );
  }
  if (error instanceof LiquidError && error.originalError instanceof UnshowableValue) {
    const shown = error.token.getText();
    return new TemplateError(
      'TEMPLATE_VALUE_REFUSED',
      `The mail "${name}" cannot show ${shown}: it ${error.originalError.message}.`,
      'Enqueue the job with a value of that kind.',
      error,
    );
  }
  return error;
}

function isBlank(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'string' && value.trim() === '');
}

function shortened(subject: string): string {
  const characters = [...subject];
  return characters.length <= longestSubject
    ? subject
    : `${characters.slice(0, longestSubject - 1).join('')}…`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
