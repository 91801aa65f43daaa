import type { OutcomeEvent, RailEvent } from '../model/event.js';

/** Where events go. A payload is given as JSON, in which it goes on, and is not in the event. */
export interface EventSink {
  /** Takes an event to send with others a little later. What the broker does not take for long is dropped, and counted. */
  tell(event: RailEvent, payload?: string): void;

  /**
   * Takes the event of an outcome and calls `confirmed` when the broker has it; where nobody waits for that, or the
   * stream has not taken anything for long, at once. Never fails.
   */
  tellOutcome(event: OutcomeEvent, confirmed: () => void, payload?: string): void;
}
