import { type Clock } from '../base/clock.js';
import { BrokerError, JobrailError } from '../base/errors.js';
import { compose } from '../base/pipeline.js';
import { type Contract, type ResultOf, validateResult } from '../model/contract.js';
import { type Filter, publishSteps, type Sending } from '../model/filter.js';
import type { MessageProperties } from '../model/message.js';
import { JobFailure, type Reply } from '../model/reply.js';
import type { Broker, ReplyLine } from '../ports/broker.js';

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** Sends jobs and waits for their results. One line for all, opened when first needed and again after it was lost. */
export class JobCaller {
  readonly #waiting = new Map<string, Waiting>();
  #line: Promise<ReplyLine> | undefined;

  constructor(
    private readonly broker: Broker,
    private readonly filters: readonly Filter[],
    private readonly clock: Clock,
  ) {}

  /** @throws JobFailure; JobrailError `JR_RESULT_LATE`; ContractError; PublishError, BrokerError */
  async call<C extends Contract>(contract: C, sending: Sending, withinMs: number): Promise<ResultOf<C>> {
    const line = await this.#open();
    const send = compose(publishSteps(this.filters), ({ message }: Sending) => line.publish(message));
    const reply = this.#replyTo(sending.id, contract, withinMs);
    reply.catch(() => undefined); // it is awaited below, unless sending fails
    try {
      await send(sending);
    } catch (error) {
      this.#waiting.get(sending.id)?.reject(error as Error);
    }
    const answer = await reply;
    if (answer.outcome !== 'completed') throw new JobFailure(answer.job, answer.outcome, answer.error);
    return validateResult(contract, answer.result);
  }

  async close(): Promise<void> {
    const line = await this.#line?.catch(() => undefined);
    await line?.close();
  }

  #replyTo(id: string, contract: Contract, withinMs: number): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      const late = () =>
        waiting.reject(
          new JobrailError(
            'JR_RESULT_LATE',
            `No result of "${contract.name}" (job ${id}) came within ${withinMs} ms.`,
            {
              mend: 'The job goes on: ask for it later with client.result(id).',
            },
          ),
        );
      const timer = this.clock.setTimer(withinMs, late);
      const done = () => {
        timer.cancel();
        this.#waiting.delete(id);
      };
      const waiting: Waiting = {
        resolve: (reply) => (done(), resolve(reply)),
        reject: (error) => (done(), reject(error)),
      };
      this.#waiting.set(id, waiting);
    });
  }

  #open(): Promise<ReplyLine> {
    this.#line ??= this.broker.connect().then(() =>
      this.broker.openReplies({
        onReply: (properties, body) => this.#heard(properties, body),
        onLost: () => this.#lost(),
      }),
    );
    this.#line.catch(() => (this.#line = undefined));
    return this.#line;
  }

  #heard({ correlationId = '' }: MessageProperties, body: Buffer): void {
    const waiting = this.#waiting.get(correlationId);
    if (!waiting) return; // it came too late
    try {
      waiting.resolve(JSON.parse(body.toString()) as Reply);
    } catch (error) {
      waiting.reject(error as Error);
    }
  }

  #lost(): void {
    this.#line = undefined;
    for (const [id, waiting] of [...this.#waiting]) {
      waiting.reject(
        new BrokerError('JR_BROKER_UNREACHABLE', `The connection was lost while job ${id} was waited for.`, {
          mend: 'The job goes on: ask for it later with client.result(id).',
        }),
      );
    }
  }
}
