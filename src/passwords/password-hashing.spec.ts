import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PasswordConfig } from '../platform/config/index.js';
import { PasswordHashing, restOf } from './password-hashing.js';

const hashing = new PasswordHashing(new PasswordConfig(19_456, 2, 'https://waxell.example/reset'));

it('knows the right password from a wrong one', async () => {
  const stored = await hashing.hash('correct horse battery');
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await hashing.verify(stored, 'correct horse battery')).toEqual({ matches: true, outdated: false });
  expect((await hashing.verify(stored, 'correct horse batterx')).matches).toBe(false);
});

it('computes for somebody who does not exist, and says no', async () => {
  expect(await hashing.verify(undefined, 'whatever they try')).toEqual({ matches: false, outdated: false });
});

it('verifies what was hashed at other costs, and says that it is outdated', async () => {
  const cheaper = new PasswordHashing(new PasswordConfig(8_192, 1, 'https://waxell.example/reset'));
  const stored = await cheaper.hash('correct horse battery');
  expect(await hashing.verify(stored, 'correct horse battery')).toEqual({ matches: true, outdated: true });
});

it('computes as much for a hash of lower costs as for one of today, and no more for any other', () => {
  const costs = fc.record({
    memory: fc.integer({ min: 8, max: 100_000 }),
    passes: fc.integer({ min: 1, max: 6 }),
  });
  fc.assert(
    fc.property(costs, costs, (then, now) => {
      const stored = `$argon2id$v=19$m=${then.memory},t=${then.passes},p=1$c2FsdA$aGFzaA`;
      const config = new PasswordConfig(now.memory, now.passes, 'https://waxell.example/reset');
      const [, memory = '0', passes = '0'] = /m=(\d+),t=(\d+)/.exec(restOf(stored, config) ?? '') ?? [];
      const lacking = now.memory * now.passes - then.memory * then.passes;
      const rest = Number(memory) * Number(passes);
      // To eight KiB in each pass, the least that there is.
      expect(Math.abs(rest - Math.max(0, lacking))).toBeLessThanOrEqual(8 * now.passes);
    }),
  );
});

it('takes a password for the same however its characters are composed', async () => {
  const stored = await hashing.hash('Zürich Bärenplatz 1');
  expect((await hashing.verify(stored, 'Zürich Bärenplatz 1'.normalize('NFD'))).matches).toBe(true);
});

it('refuses what is beyond its capacity rather than let it wait', async () => {
  const tries = Array.from({ length: 70 }, () => hashing.verify(undefined, 'x'));
  const outcomes = await Promise.allSettled(tries);
  const refused = outcomes.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(38);
  expect(refused[0]).toMatchObject({ reason: { code: 'SIGN_IN_BUSY' } });
});
