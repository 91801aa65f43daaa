import type { EventSender, RailEvent } from 'jobrail/events';

/** An event, who told it, and where in the stream. */
export interface PlacedEvent<Event extends RailEvent = RailEvent> {
  event: Event;
  from: EventSender;
  offset: number;
}
