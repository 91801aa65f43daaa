import type { Scenario } from '../scenario.js';
import { brokerKill } from './broker-kill.js';
import { connectionCut } from './connection-cut.js';
import { effects, effectsControl, storeAway, storeRestarted } from './effects.js';
import { halfOpen } from './half-open.js';
import { leaderLost } from './leader-lost.js';
import { memoryAlarm } from './memory-alarm.js';
import { minority } from './minority.js';
import { noFault } from './no-fault.js';
import { producerKilled, relayKilled, twoRelays } from './outbox.js';
import { poison } from './poison.js';
import { queueDeleted } from './queue-deleted.js';
import { rollingDeploy } from './rolling-deploy.js';
import { slowNetwork } from './slow-network.js';
import { workerKill } from './worker-kill.js';
import { workerStop } from './worker-stop.js';

/** Those on a cluster come last, so that each broker is started once. */
export const allScenarios: readonly Scenario[] = [
  noFault,
  workerKill,
  workerStop,
  rollingDeploy,
  poison,
  brokerKill,
  connectionCut,
  halfOpen,
  slowNetwork,
  memoryAlarm,
  queueDeleted,
  effects,
  effectsControl,
  storeRestarted,
  storeAway,
  relayKilled,
  twoRelays,
  producerKilled,
  leaderLost,
  minority,
];

/** What CI plays: one of each sort that needs neither a cluster nor patience. */
export const shortScenarios: readonly Scenario[] = [workerKill, rollingDeploy, poison, brokerKill];
