import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AccessTokens, Principals } from '../../src/auth/index.js';
import { SigningKeys } from '../../src/auth/signing-keys.js';
import { AuthConfig } from '../../src/platform/config/index.js';
import {
  PLATFORM_TENANT,
  type Change,
  type Feed,
  type TenantRef,
} from '../../src/platform/database/index.js';
import { openDetecting, type Detecting } from '../support/detecting.js';

let test: Detecting;
let acme: TenantRef;
let other: TenantRef;
let principals: Principals;
let tokens: AccessTokens;
const listeners: ((change: Change) => void)[] = [];

beforeAll(async () => {
  test = await openDetecting();
  await test.newTenant(PLATFORM_TENANT);
  [acme, other] = [await test.newTenant(), await test.newTenant()];
  const feed = {
    reliable: () => true,
    subscribe: (listener: (change: Change) => void) => listeners.push(listener),
  } as unknown as Feed;
  const keys = new SigningKeys(test.db.cells, test.encryption, feed);
  tokens = new AccessTokens(keys, new AuthConfig('https://waxell.example', undefined));
  principals = new Principals(test.db.database, feed);
  keys.onModuleInit();
  principals.onModuleInit();
});
afterAll(() => test.close());

/** An access token of a session of somebody there. */
async function tokenIn(tenant: TenantRef): Promise<string> {
  const [userId, sessionId] = [await test.addPerson(tenant), randomUUID()];
  await test.db.superuser.query(
    `INSERT INTO "${tenant.id}".sessions (id, user_id, token_hash, fingerprint, expires_at)
     VALUES ($1, $2, $3, $3, now() + interval '1 hour')`,
    [sessionId, userId, randomBytes(32)],
  );
  return tokens.issue({ tenant: tenant.id, userId, sessionId, epoch: 0 });
}

const signingKeysChanged = (): void => {
  for (const listener of listeners) listener({ kind: 'signing_keys', tenant: PLATFORM_TENANT, id: 'x' });
};

it('an access token is remembered, unless its key was given up while it was being verified', async () => {
  for (const tenant of [acme, other]) {
    const [kept, raced] = [await tokenIn(tenant), await tokenIn(tenant)];
    const whose = { ...tenant, slug: 'test' };
    await principals.accessToken(whose, kept, () => tokens.verify(kept));
    expect(principals.remembered(kept)?.actor.tenant).toBe(tenant.id);
    await principals.accessToken(whose, raced, async () => {
      const claims = await tokens.verify(raced);
      signingKeysChanged();
      return claims;
    });
    for (const token of [kept, raced]) expect(principals.remembered(token)).toBeUndefined();
  }
});

it('an access token of another organisation is nobody in this one', async () => {
  const theirs = await tokenIn(other);
  const asked = principals.accessToken({ ...acme, slug: 'test' }, theirs, () => tokens.verify(theirs));
  await expect(asked).rejects.toMatchObject({ code: 'INVALID_CREDENTIAL' });
  expect(principals.remembered(theirs)).toBeUndefined();
});
