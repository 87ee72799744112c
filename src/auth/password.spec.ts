import { expect, it } from 'vitest';
import { hashPassword, passwordMatches } from './password.js';

it('knows the right password from a wrong one', async () => {
  const stored = await hashPassword('correct horse battery');
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect(await passwordMatches(stored, 'correct horse battery')).toBe(true);
  expect(await passwordMatches(stored, 'correct horse batterx')).toBe(false);
});

it('computes for somebody who does not exist, and says no', async () => {
  expect(await passwordMatches(undefined, 'whatever they try')).toBe(false);
});
