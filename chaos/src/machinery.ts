/*
 * What the scenarios run on and do not make themselves: private brokers, and the guard that lets nothing outlive a run.
 * scripts/chaos.mjs gives the ones of this repository.
 */

export interface PrivateBroker {
  readonly url: string;
  /** Erlang name of the node. */
  readonly name: string;
  /** Of the running broker, for SIGSTOP; undefined while it is halted or in a container. */
  readonly pid?: number | undefined;
  /** Ends it at once as a crash does; data and ports are kept. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data; resolves when it accepts connections. */
  start(): Promise<void>;
  stop(options?: { keepData?: boolean }): Promise<void>;
  /** Runs `rabbitmqctl` on it. */
  ctl(args: string[]): Promise<string>;
}

export interface PrivateCluster {
  readonly nodes: readonly PrivateBroker[];
  stop(): Promise<void>;
}

export interface PrivatePostgres {
  readonly url: string;
  /** Ends it at once, with all sessions; data and port are kept. */
  kill(): Promise<void>;
  /** Starts it again; resolves when it accepts sessions. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Ends processes when the process that started them is gone, however it went. */
export interface ProcessGuard {
  guardProcess(pid: number): void;
  releaseProcess(pid: number): void;
}

export interface Machinery extends ProcessGuard {
  startRabbitmq(options: { config?: string[] }): Promise<PrivateBroker>;
  startPostgres(): Promise<PrivatePostgres>;
  startRabbitmqCluster(): Promise<PrivateCluster>;
}
