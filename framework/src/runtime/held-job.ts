import type { Envelope } from '../model/envelope.js';
import type { Delivery } from '../ports/broker.js';
import type { BoundHandler } from './handlers.js';

/** A job that a worker has in hand and may start. */
export interface HeldJob {
  /** Replaced when its channel was lost while the job ran and the broker brought it again. */
  delivery: Delivery;
  readonly envelope: Envelope;
  readonly priority: number;
  readonly executor: JobRunner;
  /** It waited in hand for too long and is the broker's again. */
  givenBack?: boolean;
}

/** Runs the jobs of one handler. */
export interface JobRunner {
  readonly handler: BoundHandler;
  /** Runs the job and settles it; resolves to whether that is final. Never rejects. */
  execute(job: HeldJob): Promise<boolean>;
}
