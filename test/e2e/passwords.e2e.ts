import { beforeAll, describe, expect, it } from 'vitest';
import { client, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { attempt, FAILED } from '../support/strangers.js';
import { createPerson, createTenant, signIn, type Person, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const NEW = 'Marmalade on 12 scones';
const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
let acme: TestTenant;

beforeAll(async () => {
  acme = await createTenant(app);
});

const session = async (person: Person): Promise<Client> =>
  client(app.baseUrl, (await signIn(app, acme.slug, person)).accessToken);

describe('a change of password', () => {
  it('asks for the one of now, ends all other sessions, and lets the one that asks go on', async () => {
    const person = await createPerson(acme.api, 'Developer');
    const login = await attempt(app, acme, person, {});
    const [cookie = ''] = (login.headers.get('set-cookie') ?? '').split(';');
    const here = client(app.baseUrl, undefined, { cookie, 'sec-fetch-site': 'same-origin' });
    const there = await session(person);
    const change = (currentPassword: string, newPassword: string) =>
      refusal(here.post('/v1/auth/password', { currentPassword, newPassword }));
    expect(await change('wrong', NEW)).toEqual({ status: 403, code: 'PASSWORD_WRONG' });
    expect((await change(person.password, person.password)).status).toBe(400);
    expect((await change(person.password, NEW)).status).toBe(204);
    expect((await here.get('/v1/me')).status).toBe(200);
    await eventually(async () => expect(await refusal(there.get('/v1/me'))).toEqual(DEAD), 1_000);
    expect(await refusal(attempt(app, acme, person, {}) as never)).toEqual(FAILED);
    expect((await attempt(app, acme, { ...person, password: NEW }, {})).status).toBe(200);
    // The one before, and the one before that, are remembered.
    expect((await change(NEW, `${NEW} again`)).status).toBe(204);
    for (const former of [person.password, NEW])
      expect((await change(`${NEW} again`, former)).status).toBe(400);
  });

  it('is not for API keys', async () => {
    const change = { currentPassword: acme.owner.password, newPassword: NEW };
    expect(await refusal(acme.api.post('/v1/auth/password', change))).toEqual({
      status: 403,
      code: 'STEP_UP_NEEDS_SESSION',
    });
  });
});
