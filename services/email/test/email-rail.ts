import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openStorage, type Storage } from '@jobrail/storage';
import type { JobService, MessageHeaders, Outcome } from 'jobrail';
import { type IsolatedRail, isolatedRail } from 'jobrail/testing';
import { pino } from 'pino';
import { readConfig } from '../src/config.js';
import { emailService } from '../src/email-service.js';
import { SendEmail } from '../src/jobs.js';
import { Mailer } from '../src/mailer.js';
import { Changes } from './changes.js';

export interface SeenAttempt {
  id: string;
  attempt: number;
  outcome: Outcome;
}

export interface DeadLetter {
  id: string | undefined;
  headers: MessageHeaders;
}

/** The email service as `main.ts` puts it together, in the test process, on a real RabbitMQ of its own prefix. */
export class EmailRail {
  readonly attempts: SeenAttempt[] = [];
  readonly deadLetters: DeadLetter[] = [];
  private readonly changes = new Changes();
  private readonly running: { service: JobService; mailer: Mailer }[] = [];

  private constructor(
    private readonly rail: IsolatedRail,
    private readonly folder: string,
    readonly storage: Storage,
  ) {}

  static async open(): Promise<EmailRail> {
    const folder = await mkdtemp(join(tmpdir(), 'jobrail-email-'));
    const rail = await isolatedRail();
    return new EmailRail(rail, folder, openStorage(pathToFileURL(folder).href));
  }

  get client() {
    return this.rail.client;
  }

  /** What a process of the service has to be given. */
  environment(smtpUrl: string): Record<string, string> {
    return {
      AMQP_URL: this.rail.url,
      JOBRAIL_PREFIX: this.rail.prefix,
      SMTP_URL: smtpUrl,
      MAIL_FROM: 'Acme <no-reply@acme.example>',
      STORAGE_URL: pathToFileURL(this.folder).href,
    };
  }

  /** Starts the service; more than one may run. */
  async start(smtpUrl: string, { concurrency = 5, gracePeriod = '5s' } = {}): Promise<JobService> {
    const config = readConfig({ ...this.environment(smtpUrl), EMAIL_CONCURRENCY: String(concurrency) });
    const mailer = new Mailer({ smtpUrl, from: config.from, connections: concurrency });
    const service = emailService(config, mailer, {
      gracePeriod: gracePeriod as `${number}s`,
      log: pino({ level: 'silent' }),
    });
    service.use({
      name: 'seen by the test',
      attempt: async ({ job: { id, attempt } }, next) => {
        const outcome = await next();
        this.attempts.push({ id, attempt, outcome });
        this.changes.tell();
        return outcome;
      },
    });
    this.running.push({ service, mailer });
    await service.start();
    return service;
  }

  /** Attempts of a job, once there are `count`. */
  async attemptsOf(id: string, count: number): Promise<SeenAttempt[]> {
    const ofJob = () => this.attempts.filter((attempt) => attempt.id === id);
    await this.changes.until(() => ofJob().length >= count);
    return ofJob();
  }

  /** The dead letter of a job, once it is there. */
  async deadLetterOf(id: string): Promise<DeadLetter> {
    const subscription = await this.rail.broker.consume({
      queues: [{ name: `${this.rail.prefix}.email.dead`, prefetch: 100 }],
      onDelivery: ({ properties }) => {
        this.deadLetters.push({ id: properties.messageId, headers: properties.headers });
        this.changes.tell();
      },
    });
    const found = () => this.deadLetters.find((letter) => letter.id === id);
    await this.changes.until(() => found() !== undefined);
    await subscription.close();
    return found() as DeadLetter;
  }

  async close(): Promise<void> {
    for (const { service, mailer } of this.running) {
      await service.stop();
      mailer.close();
    }
    await this.rail.cleanup(SendEmail);
    await rm(this.folder, { recursive: true });
  }
}
