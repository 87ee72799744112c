import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KeysDto } from '../../src/keys/keys.dto.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { OperatorOf } from '../support/organisations.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, signIn, type Person, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DESTROYED = { status: 410, code: 'KEY_DESTROYED' };
let neighbour: TestTenant;
let acme: TestTenant;
/** The owner, with a session whose password was proved again. */
let owner: Client;

beforeAll(async () => {
  neighbour = await createTenant(app, { region: 'eu-west-1' });
});
beforeEach(async () => {
  acme = await createTenant(app, { region: 'eu-west-1' });
  owner = await session(acme, acme.owner);
  await must(owner.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
});

async function session(tenant: TestTenant, person: Person): Promise<Client> {
  return client(app.baseUrl, (await signIn(app, tenant.slug, person)).accessToken);
}

const keysOf = (api: Client): Promise<KeysDto> => must(api.get<KeysDto>('/v1/keys'), 200);

/** Whether a client can read and write what is encrypted. */
async function works(api: Client): Promise<void> {
  await must(api.get('/v1/users'), 200);
  await createPerson(api, 'Viewer');
}

/** As if the deletion had been scheduled so many days before; not while it is looked at, which would be written over that. */
async function passed(tenant: TestTenant, days: number): Promise<void> {
  await eventually(async () => {
    const { rowCount } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `UPDATE control.operations SET created_at = created_at - make_interval(days => $2), due_at = now()
         WHERE tenant = $1 AND kind = 'keys.deletion' AND status = 'running' AND lease_id IS NULL AND due_at > now()`,
        [tenant.id, days],
      ),
    );
    expect(rowCount).toBe(1);
  }, 10_000);
}

async function actions(api: Client): Promise<string[]> {
  const events = await api.all<{ action: string; outcome: string }>('/v1/audit/events');
  return events
    .filter(({ action, outcome }) => action.startsWith('keys.') && outcome === 'success')
    .map(({ action }) => action);
}

describe('a password that is proved again', () => {
  it('lets the session do for five minutes what asks for it, and no other session', async () => {
    const other = await session(acme, acme.owner);
    const required = { status: 403, code: 'STEP_UP_REQUIRED' };
    expect(await refusal(other.post('/v1/keys/rotate'))).toEqual(required);
    const wrong = other.post('/v1/auth/step-up', { password: 'not the password 1' });
    expect(await refusal(wrong)).toEqual({ status: 403, code: 'PASSWORD_WRONG' });
    expect(await refusal(other.post('/v1/keys/rotate'))).toEqual(required);
    await must(owner.patch('/v1/keys', { rotateAfterDays: 30 }), 200);
    await asSuperuser(app.home, 'eu-west-1', (database) =>
      database.query(
        `UPDATE "${acme.id}".sessions SET stepped_up_at = stepped_up_at - interval '301 seconds'`,
      ),
    );
    expect(await refusal(owner.patch('/v1/keys', { rotateAfterDays: 31 }))).toEqual(required);
  });

  it('is nothing that an API key has, whatever its scopes', async () => {
    const needs = { status: 403, code: 'STEP_UP_NEEDS_SESSION' };
    const proof = { password: acme.owner.password };
    expect(await refusal(acme.api.post('/v1/auth/step-up', proof))).toEqual(needs);
    expect(await refusal(acme.api.post('/v1/keys/rotate'))).toEqual(needs);
    const deletion = { waitDays: 7, confirm: acme.slug };
    expect(await refusal(acme.api.post('/v1/keys/deletion', deletion))).toEqual(needs);
    expect(await keysOf(acme.api)).not.toHaveProperty('deletion');
  });

  it('gives nobody a permission: a Developer who has proved it reads and changes no keys', async () => {
    const developer = await createPerson(acme.api, 'Developer');
    const api = await session(acme, developer);
    await must(api.post('/v1/auth/step-up', { password: developer.password }), 200);
    const denied = { status: 403, code: 'PERMISSION_DENIED' };
    expect(await refusal(api.get('/v1/keys'))).toEqual(denied);
    expect(await refusal(api.post('/v1/keys/rotate'))).toEqual(denied);
  });
});

describe('the keys of an organisation', () => {
  it('are told by id, age and state, and rotated on demand while everything goes on', async () => {
    const before = await keysOf(owner);
    const states = (keys: KeysDto): string[] => keys.items.map(({ purpose, state }) => `${purpose} ${state}`);
    expect(states(before)).toEqual(['field current', 'index current']);
    expect(Object.keys(before.items[0] ?? {}).toSorted()).toEqual([
      'ageDays',
      'createdAt',
      'id',
      'purpose',
      'state',
    ]);
    const begun = await must(owner.post<{ id: string }>('/v1/keys/rotate'), 202);
    expect(await refusal(owner.post('/v1/keys/rotate'))).toMatchObject({ status: 409 });
    await eventually(async () => {
      await works(acme.api);
      expect((await keysOf(owner)).rotation).toMatchObject({ id: begun.id, status: 'done', unreadable: 0 });
    }, 60_000);
    expect(states(await keysOf(owner)).toSorted()).toEqual([
      'field current',
      'field retired',
      'index current',
      'index retired',
    ]);
    await signIn(app, acme.slug, acme.owner);
    const told = await actions(acme.api);
    for (const action of ['keys.rotation_requested', 'keys.rotated', 'keys.rewrapped'])
      expect(told.filter((one) => one === action)).toHaveLength(1);
    expect((await keysOf(neighbour.api)).items).toHaveLength(2);
  });

  it('are replaced at the age that was set, of one day to a year', async () => {
    const updated = await must(owner.patch<KeysDto>('/v1/keys', { rotateAfterDays: 90 }), 200);
    expect(updated.rotateAfterDays).toBe(90);
    const created = Date.parse(updated.items[0]?.createdAt ?? '');
    expect((Date.parse(updated.rotateAt ?? '') - created) / 86_400_000).toBe(90);
    for (const rotateAfterDays of [0, 366, 1.5, '30'])
      expect(await refusal(owner.patch('/v1/keys', { rotateAfterDays }))).toMatchObject({ status: 400 });
    expect((await keysOf(neighbour.api)).rotateAfterDays).toBe(365);
  });
});

describe('a key of the customer', () => {
  const put = (api: Client, arn: unknown): Promise<unknown> =>
    refusal(api.put('/v1/keys/customer-key', { arn }));

  it('is looked at before it is attached, and has to be the ARN of a key', async () => {
    for (const arn of ['', 'alias/mine', 'arn:aws:s3:::bucket', 'arn:aws:kms:eu-west-1:1:key/a', 7])
      expect(await put(owner, arn)).toEqual({ status: 400, code: 'INVALID_REQUEST' });
    // The key service of this installation is not AWS, and knows no such key.
    const arn = 'arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab';
    expect(await put(owner, arn)).toEqual({ status: 422, code: 'CUSTOMER_KEY_REFUSED' });
    expect(await put(acme.api, arn)).toEqual({ status: 403, code: 'STEP_UP_NEEDS_SESSION' });
    expect(await keysOf(owner)).toMatchObject({ custody: 'platform' });
    expect(await keysOf(owner)).not.toHaveProperty('rotation');
  });

  it('cannot be detached where none is attached', async () => {
    const none = { status: 404, code: 'NO_CUSTOMER_KEY' };
    expect(await refusal(owner.delete('/v1/keys/customer-key'))).toEqual(none);
  });
});

describe('the destruction of keys', () => {
  const schedule = (waitDays = 7): Promise<{ destroyAfter: string }> =>
    must(owner.post<{ destroyAfter: string }>('/v1/keys/deletion', { waitDays, confirm: acme.slug }), 202);

  it('waits for seven days at least, whatever is asked for, and names what it is about', async () => {
    for (const body of [
      { waitDays: 6, confirm: acme.slug },
      { waitDays: 31, confirm: acme.slug },
      { waitDays: 7, confirm: neighbour.slug },
      { waitDays: 7 },
    ])
      expect(await refusal(owner.post('/v1/keys/deletion', body))).toMatchObject({ status: 400 });
    const { destroyAfter } = await schedule();
    expect((Date.parse(destroyAfter) - Date.now()) / 86_400_000).toBeGreaterThan(6.99);
    expect(await refusal(owner.post('/v1/keys/deletion', { waitDays: 7, confirm: acme.slug }))).toMatchObject(
      {
        code: 'OPERATION_UNDER_WAY',
      },
    );
    // Somebody makes it due, and shorter: it looks, and waits on.
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `UPDATE control.operations SET due_at = now(), data = '{"waitDays": 0}' WHERE tenant = $1 AND kind = 'keys.deletion'`,
        [acme.id],
      ),
    );
    await passed(acme, 6);
    await eventually(async () => {
      const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
        database.query<{ waits: boolean }>(
          `SELECT due_at > now() AND lease_id IS NULL AS waits FROM control.operations WHERE tenant = $1 AND kind = 'keys.deletion'`,
          [acme.id],
        ),
      );
      expect(rows).toEqual([{ waits: true }]);
    }, 10_000);
    await works(acme.api);
  });

  it('can be cancelled until the end, and both are told', async () => {
    await schedule();
    expect(await keysOf(acme.api)).toHaveProperty('deletion.destroyAfter');
    await must(owner.delete('/v1/keys/deletion'), 204);
    expect(await keysOf(acme.api)).not.toHaveProperty('deletion');
    expect(await refusal(owner.delete('/v1/keys/deletion'))).toMatchObject({ status: 404 });
    await works(acme.api);
    expect((await actions(acme.api)).toSorted()).toEqual(
      expect.arrayContaining(['keys.deletion_cancelled', 'keys.deletion_scheduled']),
    );
  });

  it('ends everything that they have sealed, for ever; the neighbour notices nothing, and the log goes on', async () => {
    await schedule();
    await passed(acme, 8);
    await eventually(async () => expect(await refusal(acme.api.get('/v1/users'))).toEqual(DESTROYED), 10_000);
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
    const { email, password } = acme.owner;
    expect(await refusal(anyone.post('/v1/auth/login', { email, password }))).toEqual(DESTROYED);
    const person = { email: 'new@people.example', password: 'a long password 123', role: 'Viewer' };
    expect(await refusal(acme.api.post('/v1/users', person))).toEqual(DESTROYED);
    expect(await refusal(owner.post('/v1/keys/rotate'))).toEqual(DESTROYED);
    expect(await refusal(owner.post('/v1/keys/deletion', { waitDays: 7, confirm: acme.slug }))).toEqual(
      DESTROYED,
    );
    await eventually(
      async () =>
        expect(new Set((await keysOf(acme.api)).items.map(({ state }) => state))).toEqual(
          new Set(['destroyed']),
        ),
      10_000,
    );
    await works(neighbour.api);
    await verified(acme.api);
    expect(await actions(acme.api)).toContain('keys.destroyed');
    const left = await asSuperuser(app.home, 'eu-west-1', (database) =>
      database.query(
        `SELECT 1 FROM "${acme.id}".encryption_keys WHERE octet_length(wrapped) > 0 OR inner_wrapped IS NOT NULL`,
      ),
    );
    expect(left.rows).toEqual([]);
  });

  it('keeps nobody from purging the organisation afterwards', async () => {
    await schedule();
    await passed(acme, 8);
    await eventually(async () => expect(await refusal(acme.api.get('/v1/users'))).toEqual(DESTROYED), 10_000);
    const operator = new OperatorOf(app);
    await must(
      operator.api.send('DELETE', `/v1/tenants/${acme.id}`, { body: { graceDays: 0, confirm: acme.slug } }),
      202,
    );
    await eventually(
      async () => expect((await operator.api.get(`/v1/tenants/${acme.id}`)).status).toBe(404),
      40_000,
    );
    await works(neighbour.api);
  });
});
