import { beforeAll, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type {
  PersonFactorsDto,
  PersonFactorsPageDto,
  SecondFactorDto,
  SecondFactorsDto,
  TrustedDevicesDto,
} from '../../src/mfa/mfa.dto.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import {
  BROWSER,
  challenged,
  login,
  proveFactor,
  setSecondFactor,
  signedInWith,
  withTotp,
  type WithTotp,
} from '../support/second-factors.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, type Person, type TestTenant } from '../support/tenants.js';
import { codeNow } from '../support/totp.js';

const app = sharedApplication();
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
});

const developer = (): Promise<Person> => createPerson(acme.api, 'Developer');

/** The cookie that a browser keeps of a sign-in in which it was trusted. */
function deviceCookie({ headers }: Answer<unknown>): string {
  const found = headers.getSetCookie().find((cookie) => cookie.startsWith('__Host-waxell_device_'));
  if (found === undefined) throw new Error('The browser is not trusted.');
  expect(found).toMatch(/; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  return found.split(';')[0] ?? '';
}

interface Trusted extends WithTotp {
  readonly cookie: string;
  readonly api: Client;
}

async function trusted(tenant: TestTenant, person: Person): Promise<Trusted> {
  const known = await withTotp(app, tenant, person);
  const { challenge } = await challenged(app, tenant, person);
  const shown = { totp: codeNow(known.secret), trustDevice: true };
  const answer = await proveFactor(app, challenge, shown);
  expect(answer.status).toBe(200);
  const api = client(app.baseUrl, answer.body.accessToken, BROWSER);
  return { ...known, cookie: deviceCookie(answer), api };
}

/** Whether a second factor is asked for of who shows this cookie. */
async function isAsked(
  { person, cookie }: { person: Person; cookie: string },
  { tenant = acme, agent = BROWSER['user-agent'] } = {},
): Promise<boolean> {
  const { status } = await login(app, tenant, person, { cookie, 'user-agent': agent });
  expect([200, 202]).toContain(status);
  return status === 202;
}

describe('a trusted browser', () => {
  it('is asked for no second factor, for as long as the organisation says', async () => {
    const known = await trusted(acme, await developer());
    expect(await isAsked(known)).toBe(false);
    expect(await isAsked({ ...known, cookie: '' })).toBe(true);
    const { items } = await must(known.api.get<TrustedDevicesDto>('/v1/me/trusted-devices'), 200);
    expect(items).toMatchObject([{ userAgent: 'Browser/1.0' }]);
    const days = (Date.parse(items[0]?.expiresAt ?? '') - Date.parse(items[0]?.provedAt ?? '')) / 86_400_000;
    expect(days).toBeCloseTo(30, 3);
    const passed = (number: number) =>
      asSuperuser(app.home, 'us-east-1', (database) =>
        database.query(
          `UPDATE "${acme.id}".trusted_devices SET proved_at = proved_at - make_interval(days => ${number}), expires_at = expires_at - make_interval(days => ${number}) WHERE user_id = '${known.person.id}'`,
        ),
      );
    await passed(29);
    expect(await isAsked(known)).toBe(false);
    await passed(1);
    expect(await isAsked(known)).toBe(true);
  });

  it('says of the session when the factor was proved, and adds itself to the log', async () => {
    const known = await trusted(acme, await developer());
    await must<TokensDto>(login(app, acme, known.person, { ...BROWSER, cookie: known.cookie }), 200);
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query<{ same: boolean }>(
        `SELECT s.second_factor_at = date_trunc('milliseconds', d.proved_at) AS same FROM "${acme.id}".sessions s JOIN "${acme.id}".trusted_devices d
          USING (user_id) WHERE user_id = '${known.person.id}' ORDER BY s.created_at DESC LIMIT 1`,
      ),
    );
    expect(rows).toEqual([{ same: true }]);
    const [event] = await acme.api.all<object>('/v1/audit/events?action=trusted_device.added');
    expect(event).toMatchObject({ outcome: 'success', changes: { days: 30 } });
  });

  it('is another browser’s, another person’s and another organisation’s not', async () => {
    const known = await trusted(acme, await developer());
    const second = await trusted(acme, await developer());
    expect(await isAsked(known, { agent: 'Other/1.0' })).toBe(true);
    expect(await isAsked({ person: second.person, cookie: known.cookie })).toBe(true);
    const [name = ''] = second.cookie.split('=');
    const [, secret = ''] = known.cookie.split('=');
    expect(await isAsked({ person: second.person, cookie: `${name}=${secret}` })).toBe(true);
    const foreign = await withTotp(app, other, await createPerson(other.api, 'Developer'));
    expect(await isAsked({ person: foreign.person, cookie: known.cookie }, { tenant: other })).toBe(true);
  });

  it('is nobody’s where the organisation trusts none, from that moment on', async () => {
    const tenant = await createTenant(app);
    const known = await trusted(tenant, await createPerson(tenant.api, 'Developer'));
    expect(await isAsked(known, { tenant })).toBe(false);
    await setSecondFactor(await steppedUp(app, tenant), { trustedDeviceDays: 0 });
    expect(await isAsked(known, { tenant })).toBe(true);
    const { challenge } = await challenged(app, tenant, known.person);
    const shown = { recoveryCode: known.recoveryCodes[0] ?? '', trustDevice: true };
    const answer = await proveFactor(app, challenge, shown);
    expect(answer.headers.getSetCookie().filter((cookie) => cookie.includes('device'))).toEqual([]);
  });

  it('is listed and ended by its person, and by nobody else', async () => {
    const known = await trusted(acme, await developer());
    const stranger = await trusted(acme, await developer());
    const { items } = await must(known.api.get<TrustedDevicesDto>('/v1/me/trusted-devices'), 200);
    const path = `/v1/me/trusted-devices/${items[0]?.id}`;
    expect(await refusal(stranger.api.delete(path))).toEqual(NOT_FOUND);
    expect(await refusal(other.api.delete(path))).toEqual(NOT_FOUND);
    expect(await isAsked(known)).toBe(false);
    expect((await known.api.delete(path)).status).toBe(204);
    expect(await isAsked(known)).toBe(true);
    expect(await refusal(known.api.delete(path))).toEqual(NOT_FOUND);
  });

  it('ends with a change of password, of factors, and with disabling', async () => {
    const changed = await trusted(acme, await developer());
    const body = { currentPassword: changed.person.password, newPassword: 'another pass phrase 2 go' };
    expect((await changed.api.post('/v1/auth/password', body)).status).toBe(204);
    const person = { ...changed.person, password: body.newPassword };
    expect(await isAsked({ person, cookie: changed.cookie })).toBe(true);

    const grown = await trusted(acme, await developer());
    const recoveryCode = grown.recoveryCodes[0] ?? '';
    await must(grown.api.post('/v1/auth/step-up', { recoveryCode }), 200);
    const begun = await must(
      grown.api.post<{ id: string; secret: string }>('/v1/me/second-factors/totp', {}),
      201,
    );
    const confirm = `/v1/me/second-factors/totp/${begun.id}/confirm`;
    await must(grown.api.post(confirm, { code: codeNow(begun.secret) }), 200);
    expect(await isAsked(grown)).toBe(true);

    const disabled = await trusted(acme, await developer());
    await must(acme.api.patch(`/v1/users/${disabled.person.id}`, { status: 'disabled' }), 200);
    await must(acme.api.patch(`/v1/users/${disabled.person.id}`, { status: 'active' }), 200);
    expect(await isAsked(disabled)).toBe(true);
  });
});

describe('one’s own second factors', () => {
  it('are called what their person likes', async () => {
    const { factor, session } = await withTotp(app, acme, await developer());
    const renamed = await must(
      session.patch<SecondFactorDto>(`/v1/me/second-factors/${factor.id}`, { name: 'Old telephone' }),
      200,
    );
    expect(renamed.name).toBe('Old telephone');
    const { items } = await must(session.get<SecondFactorsDto>('/v1/me/second-factors'), 200);
    expect(items).toMatchObject([{ id: factor.id, name: 'Old telephone' }]);
    expect((await session.patch(`/v1/me/second-factors/${factor.id}`, { name: '' })).status).toBe(400);
  });

  it('are removed by whoever has proved one again, and then not asked for, nor their recovery codes taken', async () => {
    const known = await withTotp(app, acme, await developer());
    const { person, factor } = known;
    const session = await signedInWith(app, acme, known);
    const remove = () => refusal(session.delete(`/v1/me/second-factors/${factor.id}`));
    expect(await remove()).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });
    await must(session.post('/v1/auth/step-up', { totp: codeNow(known.secret) }), 200);
    const open = await challenged(app, acme, person);
    expect((await remove()).status).toBe(204);
    expect((await login(app, acme, person)).status).toBe(200);
    const late = proveFactor(app, open.challenge, { recoveryCode: known.recoveryCodes[1] ?? '' });
    expect(await refusal(late)).toEqual({ status: 401, code: 'SECOND_FACTOR_FAILED' });
    const [event] = await acme.api.all<object>('/v1/audit/events?action=second_factor.removed');
    expect(event).toMatchObject({ outcome: 'success', changes: { user: person.id, type: 'totp' } });
  });

  it('are not removed down to none while one is asked for, also by two requests at once', async () => {
    const admin = await createPerson(acme.api, 'Admin');
    const { session, factor } = await withTotp(app, acme, admin);
    const LAST = { status: 409, code: 'LAST_SECOND_FACTOR' };
    expect(await refusal(session.delete(`/v1/me/second-factors/${factor.id}`))).toEqual(LAST);
    const begun = await must(
      session.post<{ id: string; secret: string }>('/v1/me/second-factors/totp', {}),
      201,
    );
    const confirm = `/v1/me/second-factors/totp/${begun.id}/confirm`;
    await must(session.post(confirm, { code: codeNow(begun.secret) }), 200);
    const both = [factor.id, begun.id].map((id) => session.delete(`/v1/me/second-factors/${id}`));
    expect((await Promise.all(both)).map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      204, 409,
    ]);
    expect((await login(app, acme, admin)).status).toBe(202);
  });
});

describe('an administrator', () => {
  it('sees who has which factors and of whom one is asked, of their own organisation', async () => {
    const { person } = await withTotp(app, acme, await developer());
    const listed = await acme.api.all<PersonFactorsDto>('/v1/second-factors', 2);
    expect(listed.find(({ userId }) => userId === person.id)).toEqual({
      userId: person.id,
      types: ['totp'],
      recoveryCodesLeft: 10,
      required: false,
    });
    const owner = listed.find(({ userId }) => userId === acme.owner.id);
    expect(owner).toMatchObject({ types: [], required: true });
    expect(Date.parse(owner?.requiredFrom ?? '')).toBeGreaterThan(Date.now());
    const users = await acme.api.all<{ id: string }>('/v1/users');
    expect(listed.map(({ userId }) => userId).sort()).toEqual(users.map(({ id }) => id).sort());
    const path = `/v1/users/${person.id}/second-factors`;
    expect((await acme.api.get<PersonFactorsDto>(path)).body.types).toEqual(['totp']);
    expect(await refusal(other.api.get(path))).toEqual(NOT_FOUND);
    const { items } = await must(other.api.get<PersonFactorsPageDto>('/v1/second-factors'), 200);
    expect(items.map(({ userId }) => userId)).not.toContain(person.id);
  });

  it('is who alone sees and resets them', async () => {
    const { session, person } = await withTotp(app, acme, await developer());
    const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
    expect(await refusal(session.get('/v1/second-factors'))).toEqual(DENIED);
    expect(await refusal(session.delete(`/v1/users/${person.id}/second-factors`))).toEqual(DENIED);
    const path = `/v1/users/${person.id}/second-factors`;
    expect(await refusal(acme.api.delete(path))).toEqual({ status: 403, code: 'STEP_UP_NEEDS_SESSION' });
    expect(await refusal((await steppedUp(app, other)).delete(path))).toEqual(NOT_FOUND);
    const admin = await steppedUp(app, acme, await createPerson(acme.api, 'Admin'));
    expect(await refusal(admin.delete(`/v1/users/${acme.owner.id}/second-factors`))).toEqual({
      status: 403,
      code: 'GRANT_EXCEEDS_OWN',
    });
    const owner = await steppedUp(app, acme);
    expect(await refusal(owner.delete(`/v1/users/${acme.owner.id}/second-factors`))).toEqual({
      status: 409,
      code: 'CANNOT_RESET_SELF',
    });
  });

  it('resets those of somebody who has lost them: sessions, trust and what is under way end', async () => {
    const tenant = await createTenant(app);
    const admin = await createPerson(tenant.api, 'Admin');
    const known = await trusted(tenant, admin);
    const open = await challenged(app, tenant, admin);
    const owner = await steppedUp(app, tenant);
    const reset = await must(owner.delete<{ removed: number }>(`/v1/users/${admin.id}/second-factors`), 200);
    expect(reset).toEqual({ removed: 1 });
    await eventually(async () => expect((await known.api.get('/v1/me')).status).toBe(401), 1_000);
    const late = proveFactor(app, open.challenge, { recoveryCode: known.recoveryCodes[0] ?? '' });
    expect(await refusal(late)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
    // Of whom a second factor is asked has no days of grace again.
    const next = await login(app, tenant, admin, { ...BROWSER, cookie: known.cookie });
    expect(next.body).toMatchObject({ enrolmentOnly: true });
    const [event] = await tenant.api.all<object>('/v1/audit/events?action=second_factor.reset');
    expect(event).toMatchObject({ outcome: 'success', resource: { id: admin.id }, changes: { removed: 1 } });
  });
});

describe('erasing a person', () => {
  it('takes their factors, codes and trusted browsers away', async () => {
    const { person } = await trusted(acme, await developer());
    await challenged(app, acme, person);
    const owner = await steppedUp(app, acme);
    await must(owner.post(`/v1/users/${person.id}/erasure`), 200);
    const tables = ['second_factors', 'recovery_codes', 'trusted_devices', 'second_factor_challenges'];
    for (const table of tables) {
      const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
        database.query(`SELECT 1 FROM "${acme.id}".${table} WHERE user_id = '${person.id}'`),
      );
      expect(rows, table).toEqual([]);
    }
  });
});
