/**
 * What showing a credential costs: a read with an API key, an access token and a session cookie, each beside the same read in
 * a process of the same program in which nobody looks at a credential (`without-authentication.ts`). `open` is the route
 * `/.well-known/jwks.json`, which asks for none, reads nothing and writes no event: the same read beside that says what the rest of
 * a request costs. And how long two processes take from the answer that a credential is revoked to its refusal.
 */
import { Caller } from '../test/tour/api.ts';
import { startApplication, type Application } from '../test/tour/application.ts';
import { fileURLToPath } from 'node:url';
import { HttpLoad } from './http-load.ts';
import { revocationsOfTwo } from './revocations.ts';
import {
  compare,
  table,
  type BenchOptions,
  type BenchResult,
  type Comparison,
  type Side,
} from './measure.ts';
import { UNREACHED_LIMITS } from './our-side.ts';

const CONNECTIONS = 64;
const READ = '/v1/projects?limit=1';
const OPEN = '/.well-known/jwks.json';
const AGENT = 'waxell bench';
const NOBODY = '00000000-0000-0000-0000-000000000000';
const WITHOUT_AUTHENTICATION = fileURLToPath(new URL('without-authentication.ts', import.meta.url));
type Headers = Record<string, string>;

export default async function auth({ say }: BenchOptions): Promise<BenchResult> {
  const apps: Application[] = [];
  const load = new HttpLoad();
  try {
    const app = await startApplication({ env: UNREACHED_LIMITS });
    apps.push(app);
    const unguarded = await startApplication({
      env: UNREACHED_LIMITS,
      nodeArguments: [`--import=${WITHOUT_AUTHENTICATION}`],
    });
    apps.push(unguarded);
    const credentials = await credentialsOf(app);
    const named = await namedOf(unguarded);
    const side = (path: string, headers: Headers, of = app): Side => {
      const order = {
        url: `${addressOf(of)}${path}`,
        method: 'GET',
        headers,
        connections: CONNECTIONS,
        status: 200,
      } as const;
      return (seconds) => load.run({ ...order, seconds }, of.pid);
    };
    const open = side(OPEN, {});
    const unauthenticated = side(READ, named, unguarded);
    const reads = {
      apiKey: side(READ, credentials.apiKey),
      jwt: side(READ, credentials.jwt),
      session: side(READ, credentials.session),
    };
    const comparisons: Record<string, Comparison> = {
      api_key: await compare({ baseline: unauthenticated, ours: reads.apiKey }),
      jwt: await compare({ baseline: unauthenticated, ours: reads.jwt }),
      session: await compare({ baseline: unauthenticated, ours: reads.session }),
      api_key_to_open: await compare({ baseline: open, ours: reads.apiKey }),
    };
    for (const line of table(comparisons)) say(line);
    const revocations = await revocationsOfTwo(app);
    const { count, p50, p99 } = revocations;
    say(`${count} revocations, refused by another process after: p50 ${p50} ms, p99 ${p99} ms`);
    const entries = Object.entries(comparisons);
    return {
      ratios: Object.fromEntries(entries.map(([name, { ratio }]) => [name, ratio])),
      absolute: {
        ...Object.fromEntries(entries.map(([name, { baseline, ours }]) => [name, { baseline, ours }])),
        revocations,
      },
    };
  } catch (error) {
    for (const app of apps) process.stderr.write(`The application said:\n${app.output()}\n`);
    throw error;
  } finally {
    load.close();
    await Promise.all(apps.map((app) => app.remove()));
  }
}

function addressOf({ first }: Application): string {
  return first.baseUrl.replace('localhost', '127.0.0.1');
}

/** Who acts where nobody looks: the owner, in the organisation that is named. */
async function namedOf(app: Application): Promise<Headers> {
  const common = { 'User-Agent': AGENT, 'X-Tenant-Slug': app.first.tenant };
  // Whoever is nobody there yet may ask who owns it.
  const users = new Caller(addressOf(app), undefined, app.first.tenant);
  const { body } = await users.get('/v1/users', { 'X-Bench-User': NOBODY });
  const [owner] = (body as { items: { id: string }[] }).items;
  const named = { ...common, 'X-Bench-User': owner?.id ?? '' };
  await users.post('/v1/projects', { name: 'bench' }, named);
  return named;
}

/** The same person by each kind of credential. */
async function credentialsOf(app: Application): Promise<Record<'apiKey' | 'jwt' | 'session', Headers>> {
  const baseUrl = addressOf(app);
  const { apiKey, tenant, ownerEmail: email, ownerPassword: password } = app.first;
  const common = { 'User-Agent': AGENT };
  await new Caller(baseUrl, apiKey).post('/v1/projects', { name: 'bench' });
  const signedIn = await new Caller(baseUrl, undefined, tenant).post(
    '/v1/auth/login',
    { email, password },
    common,
  );
  const { accessToken } = signedIn.body as { accessToken: string };
  const [cookie = ''] = (signedIn.headers.get('set-cookie') ?? '').split(';');
  return {
    apiKey: { ...common, Authorization: `Bearer ${apiKey}` },
    jwt: { ...common, Authorization: `Bearer ${accessToken}` },
    session: { ...common, Cookie: cookie },
  };
}
