import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordableBody } from './body.js';

const CANARY = 'canary-of-a-value';
const SECRETS = ['password', 'newPassword', 'clientSecret', 'token', 'refreshToken', 'apiKey', 'api_keys'];
const FURTHER_SECRETS = [
  'routingKey',
  'private_key',
  'key',
  'code',
  'passphrase',
  'authorization',
  'credential',
  'credentials',
  'secret',
];
const PERSONAL = ['email', 'e_mail', 'phone', 'displayName', 'display_name', 'firstName', 'to', 'recipients'];

/** A body that has a field of this name somewhere, and the canary in it, in one form or another. */
function bodyWith(name: string): fc.Arbitrary<unknown> {
  const holding = fc.constantFrom<unknown>(CANARY, [CANARY], { more: CANARY }, { deep: [{ more: CANARY }] });
  const other = fc.dictionary(fc.constantFrom('name', 'model', 'count'), fc.jsonValue());
  return fc.tuple(holding, other, fc.nat({ max: 4 })).map(([value, rest, depth]) =>
    Array.from({ length: depth }).reduce<unknown>((body, _, at) => (at % 2 ? [body] : { body }), {
      ...rest,
      [name]: value,
    }),
  );
}

describe('the body of a request, as it may stand in an event', () => {
  it.each([...SECRETS, ...FURTHER_SECRETS])('never has what %s holds, however deep', (name) => {
    fc.assert(
      fc.property(
        bodyWith(name),
        fc.constantFrom('redacted' as const, 'full' as const),
        (body, recording) => {
          expect(JSON.stringify(body)).toContain(CANARY);
          expect(JSON.stringify(recordableBody(body, recording))).not.toContain(CANARY);
        },
      ),
    );
  });

  it.each(PERSONAL)('has what %s holds in full alone', (name) => {
    fc.assert(
      fc.property(bodyWith(name), (body) => {
        expect(JSON.stringify(recordableBody(body, 'redacted'))).not.toContain(CANARY);
        expect(JSON.stringify(recordableBody(body, 'full'))).toContain(CANARY);
      }),
    );
  });

  it('never has what a withheld field holds, however deep', () => {
    fc.assert(
      fc.property(bodyWith('Diagnosis'), (body) => {
        expect(JSON.stringify(recordableBody(body, 'full', ['diagnosis']))).not.toContain(CANARY);
      }),
    );
  });

  it('is whole but for that, and of one that is very long its beginning is there, without what is not to be', () => {
    const body = { name: 'Greeter', model: { provider: 'demo' }, tags: ['a', 1, null] };
    expect(recordableBody({ ...body, token: 'x' }, 'redacted')).toEqual({ ...body, token: '[redacted]' });
    expect(recordableBody(undefined, 'full')).toBeUndefined();
    const input = 'x'.repeat(16_384);
    const beginning = `{"token":"[redacted]","input":"${input}`.slice(0, 16_384);
    const long = recordableBody({ token: 'hidden', input }, 'full');
    expect(long).toEqual({ truncated: true, characters: 16_417, beginning });
    const whole = recordableBody({ input: '\u{1F600}'.repeat(10_000) }, 'full') as { beginning: string };
    expect(whole.beginning.isWellFormed()).toBe(true);
  });
});
