import { isPromise, isProxy } from 'node:util/types';

/**
 * Watches objects from outside: each call of a method that answers by a promise is written down, and whoever waits for one of
 * them can be left waiting for ever, with all that he asks for afterwards.
 */
export class CallWatch {
  /** Such as `Mailer.send #2`, the second call of that method, in the order in which they were made. */
  readonly calls: string[] = [];
  /** Resolves once the call of `stopAt` has come to its end. */
  readonly stopped: Promise<void>;
  readonly #counts = new Map<string, number>();
  readonly #watched = new WeakMap<object, object>();
  #stop!: () => void;
  #over = false;

  /** @param stopAt The call whose answer never comes, though it has done what it does. Undefined: all answers come. */
  constructor(private readonly stopAt?: string) {
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
  }

  /** The same object, or function, to all who use it, and watched. What is neither is returned as it is. */
  wrap<T>(name: string, value: T): T {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return value;
    if (isProxy(value) && this.#watched.has(value)) return value;
    const known = this.#watched.get(value);
    if (known) return known as T;
    const watched = this.#watch(name, value);
    this.#watched.set(value, watched).set(watched, watched);
    return watched as T;
  }

  /** Writes down a moment that is no call; it can be the one at which all stops. */
  async pass(moment: string): Promise<void> {
    this.calls.push(moment);
    await this.#ended(moment);
  }

  #watch(name: string, value: object): object {
    // A proxy has to show what is frozen as it is.
    const target = Object.isFrozen(value) ? copyOf(value) : value;
    return new Proxy(target, {
      get: (_target, property) => {
        const found: unknown = Reflect.get(value, property, value); // private fields belong to the object, not to its proxy
        if (typeof found !== 'function' || property === 'constructor' || isFixed(target, property))
          return found;
        const method = found as (...given: unknown[]) => unknown;
        return new Proxy(method, {
          apply: (_method, _self, given) =>
            this.#call(`${name}.${String(property)}`, () => Reflect.apply(method, value, given)),
        });
      },
      set: (_target, property, to) => Reflect.set(value, property, to, value),
      apply: (_target, self, given) =>
        this.#call(name, () => Reflect.apply(value as (...given: unknown[]) => unknown, self, given)),
    });
  }

  #call(method: string, call: () => unknown): unknown {
    if (this.#over) return new Promise(() => undefined);
    const answer = call();
    // What derives from Promise may do its work only when it is waited for.
    if (!isPromise(answer) || answer.constructor !== Promise) return answer;
    const count = (this.#counts.get(method) ?? 0) + 1;
    this.#counts.set(method, count);
    const name = `${method} #${count}`;
    this.calls.push(name);
    return answer.then(
      (value: unknown) => this.#ended(name).then(() => value),
      (error: unknown) =>
        this.#ended(name).then(() => {
          throw error;
        }),
    );
  }

  async #ended(call: string): Promise<void> {
    if (call === this.stopAt) {
      this.#over = true;
      this.#stop();
    }
    if (this.#over) await new Promise(() => undefined);
  }
}

function copyOf(value: object): object {
  return Object.assign(Object.create(Object.getPrototypeOf(value) as object | null) as object, value);
}

/** A property whose value a proxy must not change. */
function isFixed(target: object, property: PropertyKey): boolean {
  const own = Reflect.getOwnPropertyDescriptor(target, property);
  return own !== undefined && !own.configurable && !own.writable && !own.get;
}
