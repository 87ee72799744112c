import type { DeliveryState } from './deliveries.js';
import type { DestinationEntity } from './destination.entity.js';
import type { DeliveryDto, DestinationDto } from './destinations.dto.js';

const NEW: DeliveryState = {
  seq: 0,
  head: 0,
  lagSeconds: 0,
  refused: 0,
  failures: 0,
  error: null,
  deliveredAt: null,
  dueAt: new Date(0),
};

/** What is answered of a destination: everything but its credentials. */
export function destinationDto(
  destination: DestinationEntity,
  state: DeliveryState | undefined,
): DestinationDto {
  const { id, name, kind, settings, paused, version, createdBy, createdAt, updatedAt } = destination;
  const { tags, ...others } = settings;
  return {
    id,
    name,
    kind,
    settings: { ...others, ...(tags && { tags: [...tags] }) },
    paused,
    delivery: deliveryDto(paused, state ?? NEW),
    version,
    createdBy,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

function deliveryDto(paused: boolean, state: DeliveryState): DeliveryDto {
  const { seq, head, lagSeconds, refused, failures, error, deliveredAt, dueAt } = state;
  const running = failures > 0 ? 'retrying' : 'delivering';
  return {
    state: paused ? 'paused' : running,
    deliveredThrough: seq,
    lagEvents: Math.max(0, head - seq),
    lagSeconds,
    refused,
    failures,
    ...(error !== null && { error }),
    ...(deliveredAt && { deliveredAt: deliveredAt.toISOString() }),
    ...(failures > 0 && { nextTryAt: dueAt.toISOString() }),
  };
}
