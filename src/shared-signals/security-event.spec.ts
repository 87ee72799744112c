import { describe, expect, it } from 'vitest';
import { readEvent } from './security-event.js';
import { SetRefused } from './shared-signals.errors.js';
import { readSubject } from './subject.js';

const BASE = 'https://schemas.openid.net/secevent/';
const ANN = { format: 'iss_sub', iss: 'https://a.example', sub: 'ann' };
const subject = { format: 'iss_sub', issuer: 'https://a.example', subject: 'ann' };

describe('an event', () => {
  it.each([
    ['caep/event-type/session-revoked', 'end_sessions'],
    ['risc/event-type/sessions-revoked', 'end_sessions'],
    ['caep/event-type/credential-change', 'distrust'],
    ['risc/event-type/account-disabled', 'disable'],
    ['risc/event-type/account-purged', 'disable'],
    ['risc/event-type/account-enabled', 'none'],
    ['caep/event-type/device-compliance-change', 'none'],
    ['caep/event-type/SESSION-REVOKED', 'none'],
  ])('%s: %s', (type, effect) => {
    expect(readEvent({ events: { [BASE + type]: {} }, sub_id: ANN })).toMatchObject({ effect, subject });
  });

  it('with several names has the strongest effect of them', () => {
    const events = Object.fromEntries(
      ['risc/event-type/account-disabled', 'caep/event-type/session-revoked'].map((type) => [
        BASE + type,
        {},
      ]),
    );
    expect(readEvent({ events, sub_id: ANN }).effect).toBe('disable');
  });

  it('about the stream is about nobody, and of bounded length', () => {
    const verification = `${BASE}ssf/event-type/verification`;
    expect(readEvent({ events: { [verification]: { state: 's' } } })).toEqual({
      types: [verification],
      effect: 'none',
      verified: 's',
    });
    for (const state of ['x'.repeat(1_001), 7])
      expect(() => readEvent({ events: { [verification]: { state } } })).toThrow(SetRefused);
    const updated = { [`${BASE}ssf/event-type/stream-updated`]: { status: 'gone' } };
    expect(() => readEvent({ events: updated })).toThrow(SetRefused);
  });

  it.each<[string, unknown]>([
    ['none', {}],
    ['a list', [{}]],
    ['eleven', Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`https://e.example/${at}`, {}]))],
    ['a name with a space', { 'https://e.example/a b': {} }],
    ['nothing said', { 'https://e.example/a': null }],
    ['no object', undefined],
  ])('is refused: %s', (_what, events) => {
    expect(() => readEvent({ events, sub_id: ANN })).toThrow(SetRefused);
  });
});

describe('a subject', () => {
  it.each<[string, unknown, object]>([
    ['of a provider', ANN, subject],
    ['as drafts write it', { subject_type: 'iss-sub', iss: 'https://a.example', sub: 'ann' }, subject],
    ['complex', { format: 'complex', user: ANN, session: { format: 'opaque', id: '1' } }, subject],
    ['complex without saying so', { user: ANN }, subject],
    ['an address', { format: 'email', email: 'a@a.example' }, { format: 'email', email: 'a@a.example' }],
    ['opaque', { format: 'opaque', id: '1' }, { format: 'unknown', named: 'opaque' }],
    ['a device alone', { format: 'complex', device: {} }, { format: 'unknown', named: 'complex' }],
  ])('%s', (_what, given, read) => {
    expect(readSubject(given)).toEqual(read);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'ann'],
    ['a list', [ANN]],
    ['no format', { iss: 'https://a.example', sub: 'ann' }],
    ['a member missing', { format: 'iss_sub', iss: 'https://a.example' }],
    ['a member of another kind', { format: 'email', email: { a: 1 } }],
    ['a member inherited', Object.create({ format: 'email', email: 'a@a.example' })],
    ['one too long', { ...ANN, sub: 'x'.repeat(1_001) }],
    ['complex within complex', { format: 'complex', user: { format: 'complex', user: ANN } }],
  ])('is refused: %s', (_what, given) => {
    expect(() => readSubject(given)).toThrow(SetRefused);
  });
});
