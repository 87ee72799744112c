import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { SignInSettingsDto } from '../../src/sign-in/sign-in-settings.dto.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

type Rules = Pick<SignInSettingsDto, 'binding' | 'bindTokens'>;

const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
let app: Application;
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  app = await startApplication({ env: { TRUSTED_PROXIES: '1' } });
  [acme, other] = [await createTenant(app), await createTenant(app)];
});
afterAll(() => app.dispose());

async function setRules(tenant: TestTenant, rules: Rules): Promise<void> {
  const api = client(app.baseUrl, (await signIn(app, tenant.slug, tenant.owner)).accessToken);
  await must(api.post('/v1/auth/step-up', { password: tenant.owner.password }), 200);
  const { version: _version, ...now } = await must(api.get<SignInSettingsDto>('/v1/auth/settings'), 200);
  await must(api.put('/v1/auth/settings', { ...now, ...rules }), 200);
}

let networks = 0;
/** A network that nobody has called from. */
const newNetwork = (): string => `203.0.${(networks += 1)}`;

function from(address: string, browser = 'Browser/1.0'): Client {
  return client(app.baseUrl, undefined, { 'x-forwarded-for': address, 'user-agent': browser });
}

type Move = 'stays' | 'moves within the network' | 'moves to another network' | 'is another browser';

/** Signs in, and shows what that has given from elsewhere: what is refused of cookie, access token and refresh token. */
async function refusedAfter(tenant: TestTenant, move: Move): Promise<string[]> {
  const { email, password } = tenant.owner;
  const home = newNetwork();
  const answer = await from(`${home}.9`)
    .with({ 'x-tenant-slug': tenant.slug })
    .post<TokensDto>('/v1/auth/login', { email, password });
  const { accessToken, refreshToken } = answer.body;
  const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';');
  const there = {
    stays: () => from(`${home}.9`),
    'moves within the network': () => from(`${home}.77`),
    'moves to another network': () => from(`${newNetwork()}.9`),
    'is another browser': () => from(`${home}.9`, 'Other/1.0'),
  }[move]();
  const shown = {
    cookie: () => there.with({ cookie, 'sec-fetch-site': 'same-origin' }).get('/v1/me'),
    'access token': () => there.with({ authorization: `Bearer ${accessToken}` }).get('/v1/me'),
    'refresh token': () => there.post('/v1/auth/refresh', { refreshToken }),
  };
  const refused: string[] = [];
  for (const [what, show] of Object.entries(shown)) {
    const { status, code } = await refusal(show());
    if (status === DEAD.status && code === DEAD.code) refused.push(what);
    else expect({ what, status }).toEqual({ what, status: 200 });
  }
  return refused;
}

const ALL = ['cookie', 'access token', 'refresh token'];

describe.each<[Rules['binding'], Record<Move, boolean>]>([
  [
    'exact',
    {
      stays: false,
      'moves within the network': true,
      'moves to another network': true,
      'is another browser': true,
    },
  ],
  [
    'network',
    {
      stays: false,
      'moves within the network': false,
      'moves to another network': true,
      'is another browser': true,
    },
  ],
  [
    'off',
    {
      stays: false,
      'moves within the network': false,
      'moves to another network': false,
      'is another browser': true,
    },
  ],
])('a session that is bound by "%s"', (binding, moves) => {
  it('is refused with its tokens where that says so, and nowhere else', async () => {
    await setRules(acme, { binding, bindTokens: true });
    for (const [move, refused] of Object.entries(moves))
      expect({ move, refused: await refusedAfter(acme, move as Move) }).toEqual({
        move,
        refused: refused ? ALL : [],
      });
  });

  it('is refused as the cookie alone where tokens are not bound, as in an organisation that has set nothing', async () => {
    await setRules(acme, { binding, bindTokens: false });
    expect(await refusedAfter(acme, 'is another browser')).toEqual(['cookie']);
    expect(await refusedAfter(other, 'moves to another network')).toEqual(['cookie']);
    expect(await refusedAfter(other, 'moves within the network')).toEqual([]);
  });
});
