import type { Encoded, ReceiverLimits } from './receivers/receiver.js';

/** Two brackets and a comma for each event but the first: what a JSON array adds. */
const FRAME_BYTES = 32;

export interface Cut {
  readonly batches: readonly (readonly Encoded[])[];
  /** Larger than the receiver takes of one event. */
  readonly tooLarge: readonly Encoded[];
}

/** Cuts events into batches within a receiver's limits, in their order. */
export function batchesOf(events: readonly Encoded[], limits: ReceiverLimits): Cut {
  const batches: Encoded[][] = [];
  const tooLarge: Encoded[] = [];
  let bytes = 0;
  for (const event of events) {
    const size = event.bytes.length + 1;
    if (event.bytes.length > limits.eventBytes || size + FRAME_BYTES > limits.bytes) {
      tooLarge.push(event);
      continue;
    }
    const open = batches.at(-1);
    if (!open || open.length >= limits.events || bytes + size > limits.bytes) {
      batches.push([event]);
      bytes = FRAME_BYTES + size;
    } else {
      open.push(event);
      bytes += size;
    }
  }
  return { batches, tooLarge };
}
