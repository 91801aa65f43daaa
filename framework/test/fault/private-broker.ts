/** A RabbitMQ of its own, as `scripts/rabbitmq.mjs` starts it. */
export interface PrivateBroker {
  url: string;
  /** Runs `rabbitmqctl`. */
  ctl(args: string[]): Promise<string>;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface Scripts {
  startRabbitmq(options: { config: string[] }): Promise<PrivateBroker & { source: 'installed' | 'docker' }>;
  freePorts(count: number): Promise<number[]>;
}

/** The scripts are no part of this package, and have no types here: they are loaded where the repository is whole. */
async function scripts(): Promise<Scripts> {
  const at = (name: string) => new URL(`../../../../scripts/${name}`, import.meta.url).href;
  const [rabbitmq, ports] = (await Promise.all([
    import(at('rabbitmq.mjs')),
    import(at('free-ports.mjs')),
  ])) as [Scripts, Scripts];
  return { startRabbitmq: rabbitmq.startRabbitmq, freePorts: ports.freePorts };
}

/**
 * Starts a broker that reads files of this machine (certificates), which one in a container cannot; undefined where
 * none is installed, which fails in CI.
 */
export async function startPrivateBroker(
  config: (port: number) => string[],
): Promise<(PrivateBroker & { port: number }) | undefined> {
  const { startRabbitmq, freePorts } = await scripts();
  const [port] = await freePorts(1);
  const { JOBRAIL_BROKER } = process.env;
  process.env['JOBRAIL_BROKER'] = 'installed';
  try {
    return Object.assign(await startRabbitmq({ config: config(port!) }), { port: port! });
  } catch (error) {
    if ((error as Error).name !== 'Unavailable' || process.env['CI']) throw error;
    return undefined;
  } finally {
    if (JOBRAIL_BROKER === undefined) delete process.env['JOBRAIL_BROKER'];
    else process.env['JOBRAIL_BROKER'] = JOBRAIL_BROKER;
  }
}
