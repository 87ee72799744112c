import type { EventActor, EventBody, Outcome } from './audit-event.js';

/** An event as whoever follows the log gets it. */
export interface ReadEvent {
  /** Each member of its type; what was of another is left out, and what no event lacks is there. */
  readonly body: EventBody;
  /** Something in it was not as events are written: it was put into the log by nobody of ours, or before it was refused. */
  readonly odd: boolean;
}

const OUTCOMES: readonly unknown[] = ['success', 'denied', 'failure'] satisfies Outcome[];

/**
 * Reads an event of which only what stands in columns was checked when it was taken. Following a log never stops at one:
 * it is told as far as it can be.
 */
export function readEvent(text: string): ReadEvent {
  const said = objectOf(parsed(text));
  const reader = new MemberReader(said ?? {});
  const body: EventBody = {
    v: 1,
    id: reader.text('id') ?? reader.lacks(''),
    at: reader.text('at') ?? reader.lacks(''),
    tenant: reader.text('tenant') ?? reader.lacks(''),
    region: reader.text('region') ?? reader.lacks(''),
    action: reader.text('action') ?? reader.lacks('unknown'),
    actor: reader.actor(),
    outcome: reader.outcome(),
    ...reader.optional('reason', (value) => typeof value === 'string'),
    ...reader.optional('sealed', (value) => typeof value === 'string'),
    ...reader.optional('resource', (value) => hasTexts(value, 'type', 'id')),
    ...reader.optional('request', (value) => hasTexts(value, 'id', 'method', 'path')),
    ...reader.optional('client', (value) => hasTexts(value, 'id', 'sealed')),
    ...reader.optional('changes', (value) => objectOf(value) !== undefined),
    ...reader.optional('decision', (value) => objectOf(value) !== undefined),
    ...reader.optional(
      'policies',
      (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
    ),
  };
  return { body, odd: reader.odd || said === undefined };
}

/** Whether what is encrypted in an event can be asked for: it is not looked at where it is no such thing. */
export function hasReadableParts({ client, sealed }: EventBody): boolean {
  const from: unknown = client;
  const own: unknown = sealed;
  return (
    (from === undefined || hasTexts(from, 'id', 'sealed')) && (own === undefined || typeof own === 'string')
  );
}

class MemberReader {
  odd = false;

  constructor(private readonly said: Readonly<Record<string, unknown>>) {}

  text(name: string): string | undefined {
    const value = this.said[name];
    return typeof value === 'string' ? value : undefined;
  }

  lacks<T>(instead: T): T {
    this.odd = true;
    return instead;
  }

  outcome(): Outcome {
    const { outcome } = this.said;
    return OUTCOMES.includes(outcome) ? (outcome as Outcome) : this.lacks('failure');
  }

  actor(): EventActor {
    const said = objectOf(this.said['actor']) ?? this.lacks({});
    const reader = new MemberReader(said);
    const actor: EventActor = {
      type: reader.text('type') ?? reader.lacks('unknown'),
      id: reader.text('id') ?? reader.lacks('unknown'),
      ...reader.optional('userId', (value) => typeof value === 'string'),
      ...reader.optional('sessionId', (value) => typeof value === 'string'),
      ...reader.optional('onBehalfOf', (value) => typeof value === 'string'),
    };
    this.odd ||= reader.odd;
    return actor;
  }

  /** A member that need not be there, where it is what it should be. */
  optional(name: string, fits: (value: unknown) => boolean): Record<string, never> {
    const value = this.said[name];
    if (value === undefined) return {};
    return fits(value) ? { [name]: value as never } : this.lacks({});
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function hasTexts(value: unknown, ...names: readonly string[]): boolean {
  const object = objectOf(value);
  return object !== undefined && names.every((name) => typeof object[name] === 'string');
}
