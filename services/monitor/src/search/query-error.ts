/** A parameter that cannot be taken; fit for the caller. */
export class QueryError extends Error {
  constructor(
    readonly parameter: string,
    what: string,
  ) {
    super(`The parameter "${parameter}" ${what}.`);
    this.name = 'QueryError';
  }
}
