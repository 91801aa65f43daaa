import { randomUUID } from 'node:crypto';
import { BuildReport } from '@jobrail/reports/jobs';
import { checkKey, StorageError } from '@jobrail/storage';
import type { RequestHandler } from 'express';
import type { InputOf, JobClient, PayloadIssue } from 'jobrail';
import { invalidFields } from './http-error.js';

/**
 * `POST /reports`: takes what the contract `report.build` asks for, except `outputKey`, which is chosen here so that
 * no caller can overwrite a file; enqueues it and answers 202 with the job and that key.
 */
export function requestReport(client: JobClient): RequestHandler {
  return async (request, response) => {
    const body: unknown = request.body;
    if (!isRecord(body)) throw invalidFields([{ path: '', message: 'Invalid input: expected an object' }]);
    const issues = issuesBeyondContract(body);
    if (issues.length > 0) throw invalidFields(issues);
    // An unknown format is refused by the contract, before this key reaches anyone.
    const outputKey = `reports/${randomUUID()}.${String(body.format)}`;
    // Unchecked until here: enqueue holds it against the contract, and its ContractError becomes the answer.
    const { id } = await client.enqueue(BuildReport, { ...body, outputKey } as InputOf<typeof BuildReport>);
    response.status(202).json({ jobs: [{ id, contract: BuildReport.name }], outputKey });
  };
}

/** What is wrong although the contract, which knows nothing of this API and its storage, would take it. */
function issuesBeyondContract(body: Record<string, unknown>): PayloadIssue[] {
  const issues: PayloadIssue[] = [];
  if ('outputKey' in body)
    issues.push({ path: 'outputKey', message: 'is chosen by the server; leave it out' });
  const { source } = body;
  if (isRecord(source) && source.kind === 'csv' && typeof source.key === 'string') {
    try {
      checkKey(source.key);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      issues.push({ path: 'source.key', message: error.message });
    }
  }
  return issues;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
