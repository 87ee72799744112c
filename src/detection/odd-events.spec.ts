import fc from 'fast-check';
import { expect, it } from 'vitest';
import { NONE, START } from '../../test/support/observed-events.js';
import { readEvent } from '../audit/index.js';
import { AUDIT_ACTIONS } from '../platform/events/index.js';
import { Detector } from './detector.js';
import { Memory } from './memory.js';

it('no rule stops at an event, whatever stands in it', () => {
  const event = fc.record({
    action: fc.constantFrom(...AUDIT_ACTIONS, 'unknown', 'constructor'),
    outcome: fc.constantFrom('success', 'denied', 'failure', 'else'),
    actor: fc.oneof(fc.record({ type: fc.string(), id: fc.string() }), fc.jsonValue()),
    resource: fc.oneof(fc.record({ type: fc.string(), id: fc.string() }), fc.jsonValue()),
    changes: fc.oneof(
      fc.dictionary(
        fc.constantFrom(
          'role',
          'principal',
          'scopes',
          'permissions',
          'before',
          'fields',
          'rows',
          'user',
          'account',
        ),
        fc.jsonValue(),
      ),
      fc.jsonValue(),
    ),
    reason: fc.jsonValue(),
    at: fc.jsonValue(),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const memory = new Memory();
      const detector = new Detector(memory, NONE);
      for (const [seq, one] of events.entries()) {
        const { body } = readEvent(JSON.stringify(one));
        const at = memory.timeOf(Math.floor(Date.parse(body.at) / 1_000), START);
        detector.observe({ seq, at, body, subject: {} });
      }
      expect(new Memory(JSON.parse(JSON.stringify(memory.stored())) as object).stored()).toEqual(
        memory.stored(),
      );
    }),
  );
});

it('the time that an event counts for is never before the last one’s, never in the future, and soon right again', () => {
  const times = fc.array(fc.oneof(fc.integer(), fc.double(), fc.integer({ min: START - 100, max: START })));
  fc.assert(
    fc.property(times, (said) => {
      const memory = new Memory();
      let before = 0;
      for (const at of said) {
        const time = memory.timeOf(at, START);
        expect(time).toBeGreaterThanOrEqual(before);
        expect(time).toBeLessThanOrEqual(START);
        before = time;
      }
      expect(memory.timeOf(START + 1, START + 1)).toBe(START + 1);
    }),
  );
  // What has counted on in the future, before this was seen to, is left behind.
  const future = START + 400 * 86_400;
  const poisoned = new Memory({
    windows: [['k', [[Math.floor(future / 15), 9]], future]],
    found: [['f', future]],
  });
  expect(poisoned.timeOf(START, START)).toBe(START);
  expect(poisoned.count('k', START, 900)).toBe(1);
  expect(poisoned.isNew('f', START, 900)).toBe(true);
});
