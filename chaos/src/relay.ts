/** A process that sends what is in the outbox. Started by the crew with its settings as JSON. */
import { OutboxRelay } from 'jobrail/postgres';
import { pino } from 'pino';
import {
  closeChannelToCrew,
  followCrew,
  type MemberSettings,
  readSettings,
  tellCrew,
} from './member-channel.js';

const { name, url, prefix, store } = readSettings<MemberSettings & { store: string }>();
const log = pino({ name, level: 'warn' }, pino.destination({ dest: 2, sync: true }));
const relay = new OutboxRelay({ name, url, prefix, store, log });

followCrew({});
process.once('SIGTERM', () => void relay.stop().then(closeChannelToCrew));
await relay.start();
tellCrew('ready');
