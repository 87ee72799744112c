import { beforeAll, describe, expect, it } from 'vitest';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createClient, tokenOf } from '../support/oauth.js';
import { withTotp } from '../support/second-factors.js';
import { sharedApplication } from '../support/shared-application.js';
import {
  createApiKey,
  createPerson,
  createTenant,
  signIn,
  uniqueName,
  type TestTenant,
} from '../support/tenants.js';

const app = sharedApplication();
const REQUIRED = { status: 403, code: 'STEP_UP_REQUIRED' };
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
});

/** As if the person had signed in, and proved whatever they have, so many minutes before. */
function passed({ id }: TestTenant, minutes: number): Promise<unknown> {
  return asSuperuser(app.home, 'us-east-1', (database) =>
    database.query(
      `UPDATE "${id}".sessions SET created_at = created_at - $1::interval, second_factor_at = second_factor_at - $1::interval,
         stepped_up_at = stepped_up_at - $1::interval`,
      [`${minutes} minutes`],
    ),
  );
}

/** What of each kind would outlive a session, as it is asked for: how it is answered. */
async function outliving(api: Client, { slug, owner }: TestTenant): Promise<Record<string, unknown>> {
  const name = uniqueName('x');
  const nobody = '01890000-0000-7000-8000-000000000000';
  const asked: [string, string, object][] = [
    ['POST', '/v1/api-keys', { name, scopes: ['agent:read'] }],
    ['POST', `/v1/api-keys/${nobody}/rotate`, {}],
    [
      'POST',
      '/v1/users',
      { email: `${name}@${slug}.example`, password: `${owner.password} x`, role: 'Viewer' },
    ],
    ['PATCH', `/v1/users/${nobody}`, { role: 'Admin' }],
    ['POST', '/v1/oauth-clients', { name, role: 'Viewer', scopes: ['agent:read'] }],
    ['PATCH', `/v1/oauth-clients/${nobody}`, { role: 'Owner' }],
    ['POST', `/v1/oauth-clients/${nobody}/rotate-secret`, {}],
    ['POST', '/v1/roles', { name, permissions: ['agent:read'] }],
    ['PATCH', `/v1/roles/${nobody}`, { permissions: ['agent:read'] }],
    ['POST', '/v1/grants', { principal: { type: 'user', id: owner.id }, role: 'Viewer' }],
    ['PATCH', `/v1/groups/${nobody}/members`, { add: [owner.id] }],
    ['POST', '/v1/audit/destinations', { name, type: 'stdout' }],
    ['POST', `/v1/audit/destinations/${nobody}/rotate-secret`, {}],
  ];
  const answers: Record<string, unknown> = {};
  for (const [method, path, body] of asked) {
    const { status, code } = await refusal(api.send(method, path, { body }));
    answers[`${method} ${path}`] = code === REQUIRED.code ? REQUIRED : status < 500;
  }
  return answers;
}

const all = (answers: Record<string, unknown>): Set<unknown> => new Set(Object.values(answers));

describe('what would make a stolen session outlive itself', () => {
  it('is for who has signed in, or proved themselves, in the last five minutes', async () => {
    const signedIn = await signIn(app, acme.slug, acme.owner);
    const elsewhere = await signIn(app, other.slug, other.owner);
    const [api, theirs] = [signedIn, elsewhere].map(({ accessToken }) => client(app.baseUrl, accessToken));
    if (!api || !theirs) throw new Error('Nobody signed in.');
    expect(all(await outliving(api, acme))).toEqual(new Set([true]));
    await passed(acme, 6);
    expect(all(await outliving(api, acme))).toEqual(new Set([REQUIRED]));
    expect(all(await outliving(theirs, other))).toEqual(new Set([true]));
    // Reading, and taking away, go on.
    expect((await api.get('/v1/api-keys')).status).toBe(200);
    const key = await createApiKey(acme.api, ['agent:read']);
    expect((await api.delete(`/v1/api-keys/${key.id}`)).status).toBe(204);
    await must(api.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
    expect(all(await outliving(api, acme))).toEqual(new Set([true]));
  });

  it('is as well for keys and clients, within their scopes, however old they are', async () => {
    await passed(acme, 6);
    expect(all(await outliving(acme.api, acme))).toEqual(new Set([true]));
    const machine = await createClient(acme.api, { role: 'Owner' });
    const api = client(app.baseUrl, await tokenOf(app.baseUrl, machine));
    const ofClient = await outliving(api, acme);
    expect(Object.values(ofClient)).not.toContainEqual(REQUIRED);
  });

  it('is not for a sign-in that a second factor was not proved for, by whoever has one', async () => {
    const person = await createPerson(acme.api, 'Admin');
    const { session } = await withTotp(app, acme, person);
    expect(all(await outliving(session, acme))).toEqual(new Set([true]));
    // As where the browser was trusted to go without it.
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `UPDATE "${acme.id}".sessions SET second_factor_at = NULL, stepped_up_at = NULL WHERE user_id = $1`,
        [person.id],
      ),
    );
    expect(all(await outliving(session, acme))).toEqual(new Set([REQUIRED]));
  });
});
