/**
 * @typedef {object} Accepted What the api answers at once, before any work is done.
 * @property {{ id: string, contract: string }[]} jobs
 * @property {string} traceId Of the request, from the header `x-trace-id`.
 */

/** The api, as a browser or another program would use it. */
export class ApiClient {
  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  /**
   * `POST /users`.
   *
   * @param {{ name: string, email: string, avatar: Buffer, fileName: string }} user
   * @returns {Promise<Accepted & { pictures: string[] }>} `pictures`: the storage keys they will be at.
   */
  async createUser({ name, email, avatar, fileName }) {
    const form = new FormData();
    form.set('name', name);
    form.set('email', email);
    form.set('avatar', new Blob([new Uint8Array(avatar)], { type: 'image/jpeg' }), fileName);
    return /** @type {Accepted & { pictures: string[] }} */ (await this.#post('/users', { body: form }));
  }

  /**
   * `POST /reports`.
   *
   * @param {object} report As the contract `report.build` wants it, without `outputKey`.
   * @returns {Promise<Accepted & { outputKey: string }>}
   */
  async requestReport(report) {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.#post('/reports', { body: JSON.stringify(report), headers });
    return /** @type {Accepted & { outputKey: string }} */ (answer);
  }

  /**
   * @param {string} path
   * @param {RequestInit} request
   * @returns {Promise<Accepted>}
   * @throws {Error} with the answer, unless it is 202.
   */
  async #post(path, request) {
    const response = await fetch(this.url + path, { method: 'POST', ...request });
    const body = await response.text();
    if (response.status !== 202) throw new Error(`POST ${path} was answered ${response.status}: ${body}`);
    /** @type {unknown} */
    const accepted = JSON.parse(body);
    return { .../** @type {Accepted} */ (accepted), traceId: response.headers.get('x-trace-id') ?? '' };
  }
}
