/** A server that this machine cannot provide. `mend` says how to provide it. */
export class Unavailable extends Error {
  code = 'UNAVAILABLE';

  /**
   * @param {string} message
   * @param {string} mend
   */
  constructor(message, mend) {
    super(message);
    this.name = 'Unavailable';
    this.mend = mend;
  }
}
