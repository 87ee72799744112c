import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasReadableParts, readEvent } from './read-event.js';

const SOUND = {
  v: 1,
  id: '01890000-0000-7000-8000-000000000001',
  at: '2026-11-30T00:00:00.000000Z',
  tenant: 't_0000000000000001',
  region: 'r',
  action: 'user.updated',
  actor: { type: 'user', id: 'ann', userId: 'u', sessionId: 's' },
  outcome: 'success',
  resource: { type: 'user', id: 'bob' },
  changes: { role: 'Admin' },
  request: { id: 'r', method: 'GET', path: '/' },
  reason: 'X',
  policies: ['a'],
  decision: { permission: 'user:update' },
  client: { id: 'c', sealed: 'AA==' },
  sealed: 'AA==',
};

describe('an event of a log', () => {
  it('that is as events are written is read as it is', () => {
    expect(readEvent(JSON.stringify(SOUND))).toEqual({ body: SOUND, odd: false });
    expect(hasReadableParts(readEvent(JSON.stringify(SOUND)).body)).toBe(true);
  });

  it.each([
    ['client', {}],
    ['sealed', 5],
    ['policies', 5],
    ['policies', [7]],
    ['changes', []],
    ['resource', { type: 'user' }],
    ['request', null],
    ['outcome', 'whatever'],
  ])('of which %s is of another type is read without it, and is odd', (name, value) => {
    const { body, odd } = readEvent(JSON.stringify({ ...SOUND, [name]: value }));
    const expected = name === 'outcome' ? { ...SOUND, outcome: 'failure' } : { ...SOUND, [name]: undefined };
    expect([odd, body]).toEqual([true, expected]);
  });

  it('is read whatever it is, and each of its members is of its type', () => {
    const anything = fc.oneof(fc.jsonValue(), fc.constant(undefined));
    const members = fc.dictionary(fc.constantFrom(...Object.keys(SOUND)), anything);
    const texts = fc.oneof(
      members.map((changed) => JSON.stringify({ ...SOUND, ...changed })),
      fc.json(),
      fc.string(),
    );
    fc.assert(
      fc.property(texts, (text) => {
        const { body } = readEvent(text);
        for (const value of [
          body.id,
          body.at,
          body.tenant,
          body.region,
          body.action,
          body.actor.type,
          body.actor.id,
        ])
          expect(typeof value).toBe('string');
        for (const value of [
          body.client?.id,
          body.client?.sealed,
          body.sealed,
          body.reason,
          ...(body.policies ?? []),
        ])
          expect(['string', 'undefined']).toContain(typeof value);
        expect(hasReadableParts(body)).toBe(true);
      }),
    );
  });
});
