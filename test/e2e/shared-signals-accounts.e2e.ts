import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAEP, RISC } from '../fakes/ssf-transmitter.js';
import { grant, makeRole } from '../support/access.js';
import { client, must } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { sharedSite } from '../support/shared-application.js';
import { deadWithin, Signals, statusOf, TAKEN } from '../support/signals.js';
import { lastEvent, steppedUp } from '../support/single-sign-on.js';
import { createApiKey, createPerson, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedSite();
let signals: Signals;
let globex: TestTenant;
beforeAll(async () => {
  signals = await Signals.begin();
  globex = await createTenant(app);
});
afterAll(() => signals.end());

const sql = (text: string, values: unknown[]) =>
  asSuperuser(app.home, 'us-east-1', (database) => database.query(text, values));

/** As if the DNS had proven the domain of its owner's address. */
async function verifyDomainOf({ id, owner: { email } }: TestTenant): Promise<void> {
  const text = 'INSERT INTO control.domains (name, tenant) VALUES ($1, $2) ON CONFLICT DO NOTHING';
  await sql(text, [email.split('@')[1], id]);
}

describe('account-disabled', () => {
  it.each(['account-disabled', 'account-purged'])(
    '%s disables the person, API keys included',
    async (type) => {
      const sub = uniqueName('p');
      const { id } = await signals.signedIn(sub);
      await must(signals.tenant.api.patch(`/v1/users/${id}`, { role: 'Developer' }), 200);
      const { api } = await signals.signedIn(sub);
      const key = client(app.baseUrl, (await createApiKey(api, ['*:admin'])).key);
      expect(await statusOf(key)).toBe(200);
      expect(await signals.tell(`${RISC}${type}`, signals.subject(sub))).toEqual(TAKEN);
      const since = performance.now();
      await deadWithin(api, since);
      await deadWithin(key, since);
      expect(await lastEvent(signals.tenant, 'signal.person_disabled')).toMatchObject({
        resource: { type: 'user', id },
        changes: { outcomes: [{ user: id, disabled: true }] },
      });
      // What gives access is taken, and does nothing.
      expect(await signals.tell(`${RISC}account-enabled`, signals.subject(sub))).toEqual(TAKEN);
      const { items } = await must(
        signals.tenant.api.get<{ items: { id: string; status: string }[] }>('/v1/users?limit=100'),
        200,
      );
      expect(items.find((one) => one.id === id)?.status).toBe('disabled');
    },
  );

  it('leaves the last Owner, and says so', async () => {
    const { token } = await signals.registerOf(globex, { emailSubjects: true });
    const about = { format: 'email', email: globex.owner.email };
    await verifyDomainOf(globex);
    expect(
      await signals.send(await signals.transmitter.set(`${RISC}account-disabled`, about), token),
    ).toEqual(TAKEN);
    expect(await lastEvent(globex, 'signal.received')).toMatchObject({
      outcome: 'denied',
      changes: { outcomes: [{ user: globex.owner.id, kept: 'last_owner' }] },
    });
    expect(await statusOf(globex.api)).toBe(200);
  });

  it('does nothing to who holds more than whoever has set the transmitter', async () => {
    const person = await createPerson(signals.tenant.api, 'Admin');
    const { token } = await signals.register(await steppedUp(app, signals.tenant, person), {
      emailSubjects: true,
    });
    await verifyDomainOf(signals.tenant);
    const about = { format: 'email', email: signals.tenant.owner.email };
    for (const type of [`${RISC}account-disabled`, `${CAEP}session-revoked`])
      expect(await signals.send(await signals.transmitter.set(type, about), token)).toEqual(TAKEN);
    expect(await lastEvent(signals.tenant, 'signal.received')).toMatchObject({
      outcome: 'denied',
      changes: { outcomes: [{ user: signals.tenant.owner.id, kept: 'role_above_transmitter' }] },
    });
    expect(await statusOf(signals.sso.owner)).toBe(200);
  });

  it('does nothing to who holds more by a grant either', async () => {
    const setter = await createPerson(signals.tenant.api, 'Member');
    const role = await makeRole(signals.tenant.api, ['signal_transmitter:manage']);
    await grant(signals.tenant.api, '', setter.id, { roleId: role.id });
    const { token } = await signals.register(await steppedUp(app, signals.tenant, setter), {
      emailSubjects: true,
    });
    await verifyDomainOf(signals.tenant);
    const body = { password: 'correct horse battery staple 1', role: 'Member' };
    const email = `${uniqueName('raised')}@${signals.tenant.owner.email.split('@')[1]}`;
    const { id } = await must(signals.tenant.api.post<{ id: string }>('/v1/users', { ...body, email }), 201);
    await grant(signals.tenant.api, '', id, { role: 'Admin' });
    const set = await signals.transmitter.set(`${RISC}account-disabled`, { format: 'email', email });
    expect(await signals.send(set, token)).toEqual(TAKEN);
    expect(await lastEvent(signals.tenant, 'signal.received')).toMatchObject({
      outcome: 'denied',
      changes: { outcomes: [{ user: id, kept: 'role_above_transmitter' }] },
    });
  });
});
