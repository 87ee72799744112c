import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { SignInAttempts, type Attempt } from '../../src/sign-in/index.js';
import { openDetecting, type Detecting } from '../support/detecting.js';

let test: Detecting;
let acme: TenantRef;
let other: TenantRef;
/** Two processes. */
let processes: SignInAttempts[];

beforeAll(async () => {
  test = await openDetecting();
  [acme, other] = [await test.newTenant(), await test.newTenant()];
  const one = (): SignInAttempts =>
    new SignInAttempts(test.db.database, test.encryption, test.unitOfWork(), test.recorder());
  processes = [one(), one()];
});
afterAll(() => test.close());

const place = (name: string): Buffer => createHash('sha256').update(name).digest();
let addresses = 0;

/** Somebody whom the tenant knows, trying from an address of their own. */
async function person(tenant = acme): Promise<Attempt & { userId: string }> {
  const userId = randomUUID();
  await test.db.superuser.query(
    `INSERT INTO "${tenant.id}".users (id, email, email_index, role) VALUES ($1, 'x', $2, 'Viewer')`,
    [userId, Buffer.from(userId)],
  );
  addresses += 1;
  return { userId, account: userId, place: place('a stranger'), network: `address ${addresses}` };
}

async function admitted(attempt: Attempt, { tenant = acme, by = 0 } = {}): Promise<boolean> {
  const counted = await test.db.database.within(tenant, () =>
    (processes[by] as SignInAttempts).count(attempt),
  );
  return counted.admitted;
}

async function tries(attempt: Attempt, times: number): Promise<boolean[]> {
  const answers: boolean[] = [];
  for (let at = 0; at < times; at += 1) answers.push(await admitted(attempt, { by: at % 2 }));
  return answers;
}

async function succeeds(attempt: Attempt & { userId: string }): Promise<void> {
  const [attempts] = processes as [SignInAttempts];
  const counted = await test.db.database.within(acme, () => attempts.count(attempt));
  expect(counted.admitted).toBe(true);
  await test.inTenant(acme, async () => {
    await attempts.succeeded(counted);
    await attempts.remember(attempt.userId, attempt.place);
  });
}

/** As if so many minutes had gone by. */
async function passMinutes(minutes: number, tenant = acme): Promise<void> {
  await test.db.superuser.query(
    `UPDATE "${tenant.id}".sign_in_attempts SET last_at = last_at - make_interval(mins => $1),
       locked_until = locked_until - make_interval(mins => $1)`,
    [minutes],
  );
}

describe('an account', () => {
  it('is locked after five attempts in a row, which all processes count together', async () => {
    const somebody = await person();
    expect(await tries(somebody, 7)).toEqual([true, true, true, true, true, false, false]);
  });

  it('lets in five of many attempts at the same moment', async () => {
    const somebody = await person();
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, at) =>
        admitted({ ...somebody, network: `crowd ${at}` }, { by: at % 2 }),
      ),
    );
    expect(answers.filter(Boolean)).toHaveLength(5);
  });

  it('is locked for a minute, then for twice as long each time, and for an hour at most', async () => {
    const somebody = await person();
    await tries(somebody, 5);
    const lengths: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      const { rows } = await test.db.superuser.query<{ minutes: number }>(
        `SELECT round(extract(epoch FROM locked_until - now()) / 60)::integer AS minutes
         FROM "${acme.id}".sign_in_attempts WHERE key = $1`,
        [`account:${somebody.userId}`],
      );
      const minutes = rows[0]?.minutes ?? 0;
      lengths.push(minutes);
      expect(await admitted(somebody)).toBe(false);
      await passMinutes(minutes);
      await passMinutes(1);
      expect(await admitted(somebody)).toBe(true);
    }
    expect(lengths).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });

  it('begins anew after a sign-in that succeeded, and after a day without an attempt', async () => {
    const somebody = await person();
    await tries(somebody, 4);
    await succeeds(somebody);
    expect(await tries(somebody, 5)).not.toContain(false);
    const another = await person();
    await tries(another, 6);
    await passMinutes(25 * 60);
    expect(await tries(another, 6)).toEqual([true, true, true, true, true, false]);
  });

  it('that an attacker locks is open to its owner where the owner has signed in before', async () => {
    const owner = { ...(await person()), place: place('at home') };
    await succeeds(owner);
    const attacker = { ...owner, place: place('elsewhere'), network: 'the attacker' };
    expect((await tries(attacker, 8)).filter(Boolean)).toHaveLength(5);
    expect(await tries(owner, 4)).not.toContain(false);
    // Guessing from there is counted as well.
    expect(await tries(owner, 3)).toEqual([true, false, false]);
  });

  it('is open again once it was unlocked, from everywhere', async () => {
    const owner = { ...(await person()), place: place('at work') };
    await succeeds(owner);
    const stranger = { ...owner, place: place('in a café'), network: 'the café' };
    await tries(owner, 6);
    await tries(stranger, 6);
    await test.inTenant(acme, () => (processes[0] as SignInAttempts).unlock(owner.userId));
    expect([await admitted(owner), await admitted(stranger)]).toEqual([true, true]);
  });

  it('of the same name in another organisation has nothing to do with it', async () => {
    const account = 'somebody@people.example';
    const here: Attempt = { userId: undefined, account, place: place('x'), network: '192.0.2.1' };
    await tries(here, 6);
    expect(await admitted(here)).toBe(false);
    expect(await admitted(here, { tenant: other })).toBe(true);
  });

  it('that is locked costs no write, and says so in the log each time it is locked anew', async () => {
    const somebody = await person();
    await tries(somebody, 5);
    const version = async (): Promise<unknown> =>
      (
        await test.db.superuser.query(`SELECT xmin FROM "${acme.id}".sign_in_attempts WHERE key = $1`, [
          `account:${somebody.userId}`,
        ])
      ).rows[0];
    const before = await version();
    await tries(somebody, 20);
    expect(await version()).toEqual(before);
    const locked = (await test.actions(acme)).filter((action) => action === 'account.locked');
    expect(locked.length).toBeGreaterThan(0);
  });
});

describe('an address', () => {
  it('that has failed at twenty accounts is locked for strangers, and not for people who are known there', async () => {
    const network = 'a whole office';
    const known = { ...(await person()), network, place: place('a desk there') };
    await succeeds(known);
    const answers: boolean[] = [];
    for (let at = 0; at < 22; at += 1) answers.push(await admitted({ ...(await person()), network }));
    expect(answers.lastIndexOf(true)).toBe(19);
    expect(await admitted(known)).toBe(true);
    expect(await admitted(await person())).toBe(true);
  });

  it('is open again once it was unlocked, in that organisation alone, and no account with it', async () => {
    const network = 'an office that is locked';
    const locked: Attempt[] = [];
    for (let at = 0; at < 20; at += 1) {
      const theirs = { ...(await person(other)), network };
      await admitted({ ...(await person()), network });
      await admitted(theirs, { tenant: other });
    }
    const guessed = await person();
    await tries(guessed, 6);
    for (const tenant of [acme, other]) {
      locked.push({ ...(await person(tenant)), network });
      expect(await admitted({ ...(await person(tenant)), network }, { tenant })).toBe(false);
    }
    const [attempts] = processes as [SignInAttempts];
    const key = await test.inTenant(acme, () => attempts.unlockAddress(network));
    expect(key).toMatch(/^address:[0-9a-f]{4}$/);
    const [ours, theirs] = locked as [Attempt, Attempt];
    expect(await admitted(ours)).toBe(true);
    expect(await admitted(theirs, { tenant: other })).toBe(false);
    expect(await admitted(guessed)).toBe(false);
  });

  it('is not cleared by somebody who has an account of their own', async () => {
    const network = 'an insider';
    for (let at = 0; at < 19; at += 1) {
      await admitted({ ...(await person()), network });
      await succeeds({ ...(await person()), network, place: place(`desk ${at}`) });
    }
    expect(await admitted({ ...(await person()), network })).toBe(true);
    expect(await admitted({ ...(await person()), network })).toBe(false);
  });
});

it('however many unknown accounts are tried, there are no more rows, and none says which', async () => {
  await test.db.superuser.query(`DELETE FROM "${other.id}".sign_in_attempts`);
  const names = Array.from({ length: 400 }, (_, at) => `nobody-${at}@people.example`);
  for (const account of names)
    await admitted(
      { userId: undefined, account, place: place(account), network: '198.51.100.7' },
      { tenant: other },
    );
  const { rows } = await test.db.superuser.query<{ key: string }>(
    `SELECT key FROM "${other.id}".sign_in_attempts`,
  );
  expect(rows.length).toBeLessThanOrEqual(256 + 1);
  expect(rows.every(({ key }) => /^(nobody:[0-9a-f]{2}|address:[0-9a-f]{4})$/.test(key))).toBe(true);
});
