import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AccessTokens } from '../../src/auth/access-tokens.js';
import { newSigningKey } from '../../src/auth/new-signing-key.js';
import { RotateSigningKeys } from '../../src/auth/rotate-signing-keys.js';
import { SigningKeys } from '../../src/auth/signing-keys.js';
import { AuthConfig } from '../../src/platform/config/index.js';
import {
  PLATFORM_TENANT,
  type Change,
  type Feed,
  type TenantRef,
} from '../../src/platform/database/index.js';
import { RegistryTransactions } from '../../src/platform/database/registry-transactions.js';
import { runInRequest } from '../../src/platform/http/request-context.js';
import { Log } from '../../src/platform/observability/log.js';
import { RegistryWork } from '../../src/requests/index.js';
import { openDetecting, type Detecting } from '../support/detecting.js';

/** What every process knows of the keys, and the feed that tells it of changes. */
interface Process {
  readonly keys: SigningKeys;
  readonly tokens: AccessTokens;
  readonly rotate: RotateSigningKeys;
  hear(): void;
}

let test: Detecting;
let acme: TenantRef;
let other: TenantRef;

beforeAll(async () => {
  test = await openDetecting();
  await test.newTenant(PLATFORM_TENANT);
  [acme, other] = [await test.newTenant(), await test.newTenant()];
});
afterAll(() => test.close());
beforeEach(async () => {
  await test.db.superuser.query('DELETE FROM control.signing_keys');
});

function newProcess(): Process {
  const { cells } = test.db;
  const listeners: ((change: Change) => void)[] = [];
  const feed = {
    reliable: () => true,
    subscribe: (listener: (change: Change) => void) => listeners.push(listener),
  } as unknown as Feed;
  const keys = new SigningKeys(cells, test.encryption, feed);
  keys.onModuleInit();
  const work = new RegistryWork(new RegistryTransactions(cells), test.recorder(), cells);
  return {
    keys,
    tokens: new AccessTokens(keys, new AuthConfig('https://waxell.example', undefined)),
    rotate: new RotateSigningKeys(cells, test.encryption, work, new Log('silent')),
    hear: () => {
      for (const listener of listeners) listener({ kind: 'signing_keys', tenant: PLATFORM_TENANT, id: 'x' });
    },
  };
}

const issue = ({ tokens }: Process, tenant = acme): Promise<string> =>
  tokens.issue({ tenant: tenant.id, userId: 'somebody', sessionId: 'a session', epoch: 0 });
const kidOf = (token: string): string => decodeProtectedHeader(token).kid ?? '';
const published = async ({ keys }: Process): Promise<(string | undefined)[]> =>
  (await keys.jwks()).keys.map(({ kid }) => kid);

async function passDays(days: number): Promise<void> {
  await test.db.superuser.query(
    'UPDATE control.signing_keys SET signs_from = signs_from - make_interval(secs => $1)',
    [days * 86_400],
  );
}

function rotate({ rotate: rotation }: Process, compromised: boolean) {
  return runInRequest(
    {
      requestId: 'a request',
      method: 'POST',
      path: '/v1/auth/signing-keys/rotate',
      ip: '192.0.2.1',
      userAgent: 'test',
      endpoint: { permission: 'signing_key:rotate', audit: 'signing_key.rotated', summary: 'Test.' },
      actor: { type: 'operator', id: 'operator', roles: [] },
      audit: {},
      recorded: false,
    },
    () => rotation.execute(compromised),
  );
}

describe('a signing key', () => {
  it('is made once, however many processes start', async () => {
    const processes = Array.from({ length: 4 }, newProcess);
    const tokens = await Promise.all(processes.map((one) => issue(one)));
    expect(new Set(tokens.map(kidOf)).size).toBe(1);
  });

  it('is published before it signs, and believed until the tokens that it signed have ended', async () => {
    const process = newProcess();
    const before = await issue(process);
    const { kid } = await rotate(process, false);
    process.hear();
    expect(await published(process)).toEqual([kid, kidOf(before)]);
    expect(kidOf(await issue(process))).toBe(kidOf(before));
    await passDays(1);
    process.hear();
    const after = await issue(process, other);
    expect(kidOf(after)).toBe(kid);
    expect(await process.tokens.verify(before)).toMatchObject({ tenant: acme.id });
    expect(await process.tokens.verify(after)).toMatchObject({ tenant: other.id });
    await passDays(6.5 / 24);
    process.hear();
    expect(await published(process)).toHaveLength(2);
    await passDays(1 / 24);
    process.hear();
    expect(await published(process)).toEqual([kid]);
    await expect(process.tokens.verify(before)).rejects.toMatchObject({ code: 'INVALID_CREDENTIAL' });
  });

  it('has one successor at a time: another is refused until that signs, and the key that signs stays', async () => {
    const process = newProcess();
    const before = await issue(process);
    const { signsFrom } = await rotate(process, false);
    for (let time = 0; time < 20; time += 1)
      await expect(rotate(process, false)).rejects.toMatchObject({
        code: 'SIGNING_KEY_NOT_IN_USE',
        message: expect.stringContaining(signsFrom.toISOString()) as string,
      });
    process.hear();
    expect(kidOf(await issue(process, other))).toBe(kidOf(before));
    expect(await published(process)).toHaveLength(2);
    await passDays(1);
    await rotate(process, false);
    // One that is compromised waits for nothing.
    const { kid } = await rotate(process, true);
    process.hear();
    expect(await published(process)).toEqual([kid]);
  });

  it('signs on and is believed, however many are published to follow it', async () => {
    const process = newProcess();
    const before = await issue(process);
    const { home } = test.db.cells;
    const successors = await Promise.all(
      Array.from({ length: 17 }, () => newSigningKey(test.encryption, home.tenant(PLATFORM_TENANT))),
    );
    // As one made them who was not refused any.
    for (const [at, { kid, public_jwk, private_key }] of successors.entries())
      await test.db.superuser.query(
        `INSERT INTO control.signing_keys (kid, public_jwk, private_key, signs_from)
         VALUES ($1, $2, $3, now() + make_interval(hours => $4))`,
        [kid, public_jwk, private_key, at + 1],
      );
    process.hear();
    const after = await issue(process, other);
    expect(kidOf(after)).toBe(kidOf(before));
    for (const token of [before, after]) expect((await process.tokens.verify(token)).kind).toBe('session');
  });

  it('is found by a process that has heard nothing, when a token names it', async () => {
    const [here, there] = [newProcess(), newProcess()];
    await issue(there);
    await rotate(here, true);
    here.hear();
    const token = await issue(here);
    there.hear();
    expect(await there.tokens.verify(token)).toMatchObject({ tenant: acme.id });
  });

  it('gets a successor when it is old enough, one however many processes look', async () => {
    const processes = [newProcess(), newProcess(), newProcess()];
    const [first] = processes as [Process];
    await issue(first);
    expect(await first.rotate.byAge()).toBe(false);
    await passDays(89.5);
    const made = await Promise.all(processes.map(({ rotate: rotation }) => rotation.byAge()));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await first.rotate.byAge()).toBe(false);
    const { rows } = await test.db.superuser.query('SELECT 1 FROM control.signing_keys');
    expect(rows).toHaveLength(2);
    const events = (await test.actions(first ? { ...acme, id: PLATFORM_TENANT } : acme)).filter(
      (action) => action === 'signing_key.rotated',
    );
    expect(events.length).toBeGreaterThan(0);
  });

  it('that is compromised is believed by nobody any more, nor what it signed', async () => {
    const process = newProcess();
    const before = await issue(process);
    const { kid } = await rotate(process, true);
    process.hear();
    expect(await published(process)).toEqual([kid]);
    await expect(process.tokens.verify(before)).rejects.toMatchObject({ code: 'INVALID_CREDENTIAL' });
    expect(await process.tokens.verify(await issue(process))).toMatchObject({ tenant: acme.id });
  });

  it('stands in the database with its private half sealed', async () => {
    await issue(newProcess());
    const { rows } = await test.db.superuser.query<{ text: string; key: Buffer }>(
      'SELECT k::text AS text, private_key AS key FROM control.signing_keys k',
    );
    expect(`${rows[0]?.text}${rows[0]?.key.toString('latin1')}`).not.toMatch(/PRIVATE KEY|"d":/);
  });
});
