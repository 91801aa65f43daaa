import type { OutcomeEvent, RailEvent } from '../model/event.js';

/** Where events go. */
export interface EventSink {
  /** Takes an event to send with others a little later. What the broker does not take for long is dropped, and counted. */
  tell(event: RailEvent): void;

  /**
   * Takes the event of an outcome and calls `confirmed` when the broker has it; where nobody waits for that, or the
   * stream has not taken anything for long, at once. Never fails.
   */
  tellOutcome(event: OutcomeEvent, confirmed: () => void): void;
}
