/** What a broker can do, by its version. Whatever differs between versions is decided here and nowhere else. */
export interface BrokerFeatures {
  /** Since 3.12 a queue can have its own `x-consumer-timeout`; before, there is one for the whole broker. */
  readonly ackTimeoutPerQueue: boolean;
  /** Up to 4.2 classic queues have an ack timeout, too; since 4.3 they have none and are refused with `x-consumer-timeout`. */
  readonly ackTimeoutOfClassic: boolean;
  /**
   * Up to 4.2 a quorum queue counts what a consumer gives back (`x-delivery-count`, and so toward the delivery limit);
   * since 4.3 it counts only what comes back because its channel or connection ended.
   */
  readonly countsRequeues: boolean;
}

/** RabbitMQ gives a message to somebody else when it is not acked within this, unless it is configured otherwise. */
export const defaultAckTimeoutMs = 30 * 60_000;

/** The oldest broker that Jobrail runs on. */
export const oldestVersion = '3.10';

/** @param version such as `3.10.8`; an unknown one is taken for the oldest. */
export function brokerFeatures(version: string | undefined): BrokerFeatures {
  return {
    ackTimeoutPerQueue: isAtLeast(version, 3, 12),
    ackTimeoutOfClassic: !isAtLeast(version, 4, 3),
    countsRequeues: !isAtLeast(version, 4, 3),
  };
}

/** Whether a version is one that Jobrail runs on. */
export function isSupported(version: string): boolean {
  return isAtLeast(version, 3, 10);
}

function isAtLeast(version: string | undefined, major: number, minor: number): boolean {
  const [, foundMajor = 0, foundMinor = 0] = (/^(\d+)\.(\d+)/.exec(version ?? '') ?? []).map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}
