import { expect } from 'chai';
import { ReportError, type ReportErrorCode } from '../src/report-error.js';

/** The error that work ends with; fails when it succeeds. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return expect.fail('nothing was thrown');
}

/** The ReportError of this code that work ends with. */
export async function reportError(code: ReportErrorCode, work: Promise<unknown>): Promise<ReportError> {
  const error = await failureOf(work);
  if (!(error instanceof ReportError)) throw error;
  expect(error.code).to.equal(code);
  return error;
}
