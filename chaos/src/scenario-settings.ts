/** What a scenario asks of the stage and the crew. */
export interface ScenarioSettings {
  readonly name: string;
  /** What is done, in a sentence. */
  readonly does: string;
  /** Nodes of the broker; 3 is a cluster. Default 1. */
  readonly nodes?: 1 | 3;
  /** All connections go through a proxy that the scenario steers. */
  readonly throughProxy?: boolean;
  /** Heartbeat of the connections, seconds; undefined leaves it to Jobrail. */
  readonly heartbeatS?: (short: boolean) => number | undefined;
  /** Options for the worker processes. */
  readonly workers?: {
    nodeOptions?: readonly string[];
    watchdogMs?: number;
    /** Compiled file of another program than Jobrail's worker, started with the same settings. */
    entry?: URL;
    /** Added to the settings of the process. */
    settings?: object;
  };
  /** Another program than the producer that enqueues by a client, started with the same settings. */
  readonly producers?: { entry: URL };
  /** Processes that send what producers wrote into the outbox of the store. Default 0. */
  readonly relays?: number;
  /** A private PostgreSQL, whose URL is among the settings of every process. */
  readonly store?: {
    /** What is written there beside what Jobrail writes: effects by workers, or orders by producers. */
    holds: 'effects' | 'orders';
    /** All connections to it go through a proxy that the scenario steers. */
    throughProxy?: boolean;
  };
  /** False leaves out the jobs that die by their own will. */
  readonly withFatal?: boolean;
  /** How long the load goes on at least, in the full form. Seconds. */
  readonly seconds: number;
  /** Workers must complete new jobs within this after each fault. Milliseconds; without it the time is only reported. */
  readonly recoveryBarMs?: number;
}
