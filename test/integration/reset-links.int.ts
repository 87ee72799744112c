import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import '../../src/app.module.js';
import { UserEntity } from '../../src/auth/index.js';
import { Sealed } from '../../src/encryption/sealed.js';
import { PasswordConfig } from '../../src/platform/config/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { MakeResetLink } from '../../src/recovery/make-reset-link.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { addUser, inTenant, newKeyTenant, rename } from '../support/key-tenants.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const ADDRESS = 'ann@example.com';
let db: TestDatabase;
let fake: FakeKms;
let process: KeyProcess;
let acme: TenantRef;
let neighbour: TenantRef;
let ann: string;

beforeAll(async () => {
  db = await openTestDatabase();
  fake = await startFakeKms();
  process = await startKeyProcess(db.url, clientOf(fake));
});
afterAll(async () => {
  await process.close();
  await fake.close();
  await db.close();
});
beforeEach(async () => {
  [acme, neighbour] = [await newKeyTenant(db, process), await newKeyTenant(db, process)];
  ann = await addUser(process, acme, ADDRESS);
  await addUser(process, neighbour, ADDRESS);
  for (const { id } of [acme, neighbour])
    await db.superuser.query(`UPDATE "${id}".users SET password_hash = 'x'`);
});

/** Makes a link for the address while something happens once between the look at whose it is and the lock. */
function linkWhile(change: () => Promise<unknown>) {
  let changed = false;
  const lookup = {
    findOne: async (...asked: Parameters<typeof process.lookup.findOne>) => {
      const person = await process.lookup.findOne(...asked);
      if (!changed) await change();
      changed = true;
      return person;
    },
  };
  const config = new PasswordConfig(8_192, 1, 'https://waxell.example/reset');
  const make = new MakeResetLink(process.database, lookup as never, process.work, config);
  return process.database.within(acme, () => make.execute(ADDRESS));
}

async function links({ id }: TenantRef): Promise<number> {
  const { rowCount } = await db.superuser.query(`SELECT FROM "${id}".password_resets`);
  return rowCount ?? 0;
}

it('a link is mailed to nobody whose address is another by the time that it is made', async () => {
  const moved = () =>
    inTenant(process, acme, async () => {
      const users = process.database.repository(UserEntity);
      const user = await users.findOneByOrFail({ id: ann });
      user.email = Sealed.of('ann@elsewhere.example');
      await users.save(user);
    });
  expect(await linkWhile(moved)).toBeUndefined();
  expect([await links(acme), await links(neighbour)]).toEqual([0, 0]);
});

it('a link is made for somebody of whom something else has changed meanwhile', async () => {
  const link = await linkWhile(() => rename(process, acme, ann, 'Ann'));
  expect(link?.email).toBe(ADDRESS);
  expect([await links(acme), await links(neighbour)]).toEqual([1, 0]);
});
