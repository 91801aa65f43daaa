import type { Verdict } from './checker.js';
import type { History } from './history.js';
import type { ScenarioSettings } from './scenario-settings.js';
import type { Stage } from './stage.js';

/** A kind of fault, done to a running system under load. */
export interface Scenario extends ScenarioSettings {
  /** Does the faults, one after another, while producers and workers run. */
  faults(stage: Stage): Promise<void>;
  /** What else must be true at the end; a sentence for each thing that is not. */
  judge?(verdict: Verdict, history: History): string[];
}
