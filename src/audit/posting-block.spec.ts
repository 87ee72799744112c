import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventBody } from './audit-event.js';
import {
  BLOCK,
  blockOf,
  firstOf,
  lastOf,
  narrowed,
  numbersAt,
  placesOf,
  PostingBlock,
} from './posting-block.js';
import { searchValues, termsOf, type EventFilter } from './search-terms.js';

const EVENT = fc.record({
  action: fc.constantFrom('agent.read', 'run.created', 'x'),
  actor: fc.record({ type: fc.constant('user'), id: fc.oneof(fc.constant('bob'), fc.string()) }),
  outcome: fc.constantFrom('success', 'denied'),
  at: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  resource: fc.option(fc.record({ type: fc.constant('agent'), id: fc.string() }), { nil: undefined }),
  request: fc.option(fc.record({ id: fc.uuid() }), { nil: undefined }),
}) as unknown as fc.Arbitrary<EventBody>;

/** A block that is filled with these events, again and again. */
function filled(number: number, events: readonly EventBody[]): PostingBlock {
  const block = new PostingBlock(number);
  for (let at = 0; at < BLOCK; at += 1) block.add(events[at % events.length]);
  return block;
}

function found(block: PostingBlock, filter: EventFilter): number[] {
  const [term] = termsOf(filter);
  const row = block.rows().find(({ bucket }) => bucket === term?.bucket);
  const places = row && term && placesOf(row.entries, term);
  return places ? [...numbersAt(block.block, places)] : [];
}

describe('a block of the index', () => {
  it('names for every value of its events exactly the events that have it, the newest first', () => {
    const kinds = ['actor', 'action', 'outcome', 'resourceType', 'resourceId', 'requestId'] as const;
    fc.assert(
      fc.property(
        fc.nat(3_000_000),
        fc.array(EVENT, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(...kinds),
        fc.nat(),
        (number, events, kind, which) => {
          const block = filled(number, events);
          const value = searchValues(events[which % events.length] as EventBody)[kind];
          fc.pre(value !== undefined);
          const having = Array.from({ length: BLOCK }, (_, at) => at).filter(
            (at) => searchValues(events[at % events.length] as EventBody)[kind] === value,
          );
          const numbers = having.map((at) => firstOf(number) + at).toReversed();
          expect(found(block, { [kind]: value })).toEqual(numbers);
        },
      ),
      { numRuns: 8 },
    );
  });

  it('names of the events that have a value those that have another as well', () => {
    const values = fc.record({
      every: fc.integer({ min: 1, max: 60 }),
      also: fc.integer({ min: 1, max: 60 }),
      from: fc.nat(BLOCK),
    });
    fc.assert(
      fc.property(values, ({ every, also, from }) => {
        const block = new PostingBlock(1);
        const has = (at: number): boolean => at >= from && at % every === 0;
        for (let at = 0; at < BLOCK; at += 1) {
          const actor = { type: 'user', id: has(at) ? 'bob' : 'eve' };
          block.add({ at: '', action: at % also === 0 ? 'x' : 'y', actor, outcome: 'success' } as EventBody);
        }
        const both = Array.from({ length: BLOCK }, (_, at) => at).filter((at) => has(at) && at % also === 0);
        const [actor, action] = termsOf({ actor: 'bob', action: 'x' });
        const entries = (bucket?: number) =>
          block.rows().find((row) => row.bucket === bucket)?.entries ?? Buffer.alloc(0);
        if (!actor || !action) throw new Error('There are two terms.');
        const places = placesOf(entries(actor.bucket), actor);
        expect([...narrowed(places, entries(action.bucket), action)]).toEqual(both);
        expect([...narrowed(places, Buffer.alloc(0), action)]).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it('knows nothing of a value that no event has, and from when to when its events are', () => {
    const event = { action: 'a', actor: { type: 'user', id: 'bob' }, outcome: 'success' } as EventBody;
    const block = new PostingBlock(2);
    for (const day of ['02', '01', '03']) block.add({ ...event, at: `2026-01-${day}T00:00:00.000000Z` });
    block.add(undefined);
    expect(found(block, { actor: 'eve' })).toEqual([]);
    expect(found(block, { actor: 'bob' })).toEqual([8_195, 8_194, 8_193]);
    expect([block.earliest, block.latest]).toEqual([
      '2026-01-01T00:00:00.000000Z',
      '2026-01-03T00:00:00.000000Z',
    ]);
    expect([block.full, block.next]).toEqual([false, 8_197]);
  });

  it('is made of what belongs to it: whatever a tenant writes in place of a string is no value', () => {
    const odd = { action: 'a', actor: { id: 7 }, outcome: null, resource: 'r', request: { id: ['x'] } };
    expect(searchValues(odd as unknown as EventBody)).toMatchObject({
      actor: undefined,
      outcome: undefined,
      resourceId: undefined,
      requestId: undefined,
    });
  });

  it('has as many numbers as a block, counted from the first event on', () => {
    expect([1, BLOCK, BLOCK + 1].map(blockOf)).toEqual([0, 0, 1]);
    expect([firstOf(1), lastOf(1)]).toEqual([BLOCK + 1, 2 * BLOCK]);
  });
});
