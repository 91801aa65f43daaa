/** Events of one message. */
const mostEvents = 1_000;
const mostBytes = 512 * 1024;

/** A character is at most so many bytes of UTF-8. */
const mostBytesPerCharacter = 3;
const payloadField = ',"payload":';

/**
 * Events of one message, written into its body as they come. Kept as texts they were most of what the garbage collector
 * had to carry along while thousands of jobs waited for the confirm of their outcomes.
 */
export class GatheredEvents {
  count = 0;
  #body: Buffer;
  #end = 0;
  #waiting: (() => void)[] = [];

  /** @param opening of the message, up to and with the bracket before the first event. @param bytes it is likely to take. */
  constructor(opening: string, bytes: number) {
    this.#body = Buffer.allocUnsafeSlow(Math.max(bytes, opening.length * mostBytesPerCharacter));
    this.#write(opening);
  }

  get bytes(): number {
    return this.#end;
  }

  /** It takes no more events. */
  get full(): boolean {
    return this.count >= mostEvents || this.#end >= mostBytes;
  }

  /** Somebody waits for its confirm. */
  get awaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** @param json of an event. @param payload of the event as JSON, which is not in it. @param confirmed called by `release`. */
  add(json: string, payload: string | undefined, confirmed: (() => void) | undefined): void {
    this.#makeRoom(json.length + (payload?.length ?? 0) + payloadField.length + 4);
    if (this.count++ > 0) this.#write(',');
    this.#write(json);
    if (payload !== undefined) {
      this.#end--; // before the brace that closes the event
      this.#write(payloadField);
      this.#write(payload);
      this.#write('}');
    }
    if (confirmed) this.#waiting.push(confirmed);
  }

  /** The message, after the last event. */
  close(): Buffer {
    this.#makeRoom(2);
    this.#write(']}');
    return this.#body.subarray(0, this.#end);
  }

  /** Tells all who wait for its confirm, each once. */
  release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const confirmed of waiting) confirmed();
  }

  #makeRoom(characters: number): void {
    const needed = this.#end + characters * mostBytesPerCharacter;
    if (needed <= this.#body.length) return;
    const body = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#body.length));
    this.#body.copy(body, 0, 0, this.#end);
    this.#body = body;
  }

  #write(text: string): void {
    this.#end += this.#body.write(text, this.#end);
  }
}
