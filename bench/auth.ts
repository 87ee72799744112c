/**
 * What showing a credential costs: the same read with an API key, an access token and a session cookie, each beside a route
 * that asks for none, `/.well-known/jwks.json`. The read does more than that route (the tenant's role, a query, an audit
 * event that is durable before the answer), so `jwt_to_api_key` and `session_to_api_key` are what tells of credentials.
 */
import { Caller } from '../test/tour/api.ts';
import { startApplication, type Application } from '../test/tour/application.ts';
import { HttpLoad } from './http-load.ts';
import {
  compare,
  table,
  type BenchOptions,
  type BenchResult,
  type Comparison,
  type Side,
} from './measure.ts';

const CONNECTIONS = 64;
const READ = '/v1/projects?limit=1';
const OPEN = '/.well-known/jwks.json';
const AGENT = 'waxell bench';
/** Every request is counted as always, and none is one too many. */
const UNREACHED_LIMITS = {
  RATE_LIMIT_IP_PER_SECOND: '1000000',
  RATE_LIMIT_IP_BURST: '1000000',
  RATE_LIMIT_TENANT_PER_SECOND: '1000000',
  RATE_LIMIT_TENANT_BURST: '1000000',
};

type Headers = Record<string, string>;

export default async function auth({ say }: BenchOptions): Promise<BenchResult> {
  const app = await startApplication({ env: UNREACHED_LIMITS });
  const load = new HttpLoad();
  try {
    const baseUrl = app.first.baseUrl.replace('localhost', '127.0.0.1');
    const credentials = await credentialsOf(app, baseUrl);
    const side = (path: string, headers: Headers): Side => {
      const order = {
        url: `${baseUrl}${path}`,
        method: 'GET',
        headers,
        connections: CONNECTIONS,
        status: 200,
      } as const;
      return (seconds) => load.run({ ...order, seconds }, app.pid);
    };
    const open = side(OPEN, {});
    const reads = {
      apiKey: side(READ, credentials.apiKey),
      jwt: side(READ, credentials.jwt),
      session: side(READ, credentials.session),
    };
    const comparisons: Record<string, Comparison> = {
      api_key: await compare({ baseline: open, ours: reads.apiKey }),
      jwt: await compare({ baseline: open, ours: reads.jwt }),
      session: await compare({ baseline: open, ours: reads.session }),
      jwt_to_api_key: await compare({ baseline: reads.apiKey, ours: reads.jwt }),
      session_to_api_key: await compare({ baseline: reads.apiKey, ours: reads.session }),
    };
    for (const line of table(comparisons)) say(line);
    const entries = Object.entries(comparisons);
    return {
      ratios: Object.fromEntries(entries.map(([name, { ratio }]) => [name, ratio])),
      absolute: Object.fromEntries(entries.map(([name, { baseline, ours }]) => [name, { baseline, ours }])),
    };
  } catch (error) {
    process.stderr.write(`The application said:\n${app.output()}\n`);
    throw error;
  } finally {
    load.close();
    await app.remove();
  }
}

/** The same person by each kind of credential. */
async function credentialsOf(
  app: Application,
  baseUrl: string,
): Promise<Record<'apiKey' | 'jwt' | 'session', Headers>> {
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
