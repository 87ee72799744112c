import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAgent, publishedAgent, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, type Client } from '../support/client.js';
import { FittingBodies } from '../support/fitting-bodies.js';
import { OpenApiContract, type DocumentedRoute } from '../support/openapi-contract.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

/** Of each route with a body; a third as many of others. */
const INPUTS = Number(process.env['WAXELL_FUZZED_INPUTS'] ?? 12);
let app: Application;
let tenant: TestTenant;
let contract: OpenApiContract;
let ids: Readonly<Record<string, string>>;
let bodies: FittingBodies;

beforeAll(async () => {
  app = await startApplication();
  tenant = await createTenant(app);
  contract = await OpenApiContract.of(app.baseUrl);
  const agent = await createAgent(tenant.api);
  const run = await startRun(tenant.api, (await publishedAgent(tenant.api)).id);
  // Another organisation than the one that is called: what is set for it must not keep us out.
  const { id: tenants } = await createTenant(app);
  ids = { agents: agent.id, runs: run.id, users: tenant.owner.id, 'api-keys': agent.id, tenants };
  // A body that fits, in which any field may be something hostile instead.
  bodies = new FittingBodies(contract, {
    text: () => hostileText,
    field: (fitting) => fc.oneof({ weight: 3, arbitrary: fitting }, { weight: 1, arbitrary: hostileValue }),
    least: false,
    ids: Object.values(ids),
  });
});
afterAll(() => app.dispose());

/** What has a meaning to some interpreter behind us, or none to any. */
const HOSTILE = [
  "' OR '1'='1",
  "'; DROP TABLE users; --",
  '"; SET ROLE postgres; --',
  '$1',
  '%s%n',
  '\\x00',
  '{{7*7}}',
  '${7*7}',
  '<script>alert(1)</script>',
  '../../../etc/passwd',
  '\u0000',
  '\ud800',
  '\uffff',
  '\u202e',
  '\r\nSet-Cookie: a=b',
  '__proto__',
  'constructor',
  'NaN',
  '-1',
  '9'.repeat(400),
  'a'.repeat(3_000),
  '',
  ' ',
  'null',
  'true',
  '2026-W10',
  '99999-01-01T00:00:00Z',
  'user@exam\u0000ple.com',
  'http://[::ffff:169.254.169.254]/',
  'http://a:b@c/',
  'file:///etc/passwd',
];
const hostileText = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 60 }));
const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: hostileText },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom(null, 1e308, -0, 2 ** 53, [], {}, [[]], { toString: 1 }) },
);

function pathOf({ path }: DocumentedRoute, id: string): string {
  return path.replaceAll(/\{\w+\}/g, encodeURIComponent(id.toWellFormed()));
}

/** Hostile values in the body, the path, the query and the headers of one route. */
async function attack(route: DocumentedRoute, api: Client): Promise<void> {
  const { parameters = [], requestBody } = route.operation;
  const resource = route.path.split('/')[2] ?? '';
  const id = fc.oneof(
    fc.constant(ids[resource] ?? 'x'),
    hostileText.filter((text) => !/^\.{0,2}$/.test(text)),
  );
  const query = fc.record(
    Object.fromEntries(parameters.filter((one) => one.in === 'query').map(({ name }) => [name, hostileText])),
    { requiredKeys: [] },
  );
  const body = requestBody
    ? bodies.bodyOf(requestBody.content['application/json']?.schema)
    : fc.constant(undefined);
  await fc.assert(
    fc.asyncProperty(id, query, body, async (id, query, body) => {
      const search = new URLSearchParams(query as Record<string, string>).toString();
      const path = `${pathOf(route, id)}${search === '' ? '' : `?${search}`}`;
      const { status, body: answer } = await api.send(route.method, path, { body });
      if (status >= 500)
        throw new Error(`${route.method} ${path} answered ${status} ${JSON.stringify(answer)}`);
    }),
    {
      numRuns: requestBody ? INPUTS : Math.ceil(INPUTS / 3),
      endOnFailure: true,
      interruptAfterTimeLimit: 8_000,
    },
  );
}

// There are hundreds of routes, and each is asked many times: how long that takes beside other work fails nothing.
it('never causes a fault, whatever stands in any field of any route', { timeout: 600_000 }, async () => {
  const operator = client(app.baseUrl, app.firstRun.operatorKey);
  for (const route of contract.routes) {
    // Streams are not read here, and a new organisation for every valid guess would take minutes.
    if (route.path.endsWith('/events') && route.path.includes('runs')) continue;
    await attack(route, route.path === '/v1/tenants' ? operator : tenant.api);
  }
  expect(app.logs()).not.toMatch(/"level":(50|60)/);
});

it('never causes a fault, whatever stands in a header', async () => {
  const latin1 = hostileText.map((text) => text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '').trim());
  const names = [
    'authorization',
    'x-tenant-slug',
    'idempotency-key',
    'if-match',
    'x-request-id',
    'cookie',
    'accept',
  ];
  const headers = fc.record(Object.fromEntries(names.map((name) => [name, latin1])), { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(headers, async (given) => {
      for (const path of ['/v1/me', '/v1/projects']) {
        const { status } = await tenant.api.with(given as Record<string, string>).get(path);
        expect(status).toBeLessThan(500);
      }
      const { status } = await tenant.api
        .with(given as Record<string, string>)
        .post('/v1/projects', { name: 'x' });
      expect(status).toBeLessThan(500);
    }),
    { numRuns: 80 },
  );
});

it('leaves a tenant whose log verifies after all of it, and tables that are still there', async () => {
  const { status, body } = await tenant.api.get<{ valid: boolean }>('/v1/audit/verify');
  expect([status, body.valid]).toEqual([200, true]);
  expect((await tenant.api.get('/v1/users')).status).toBe(200);
});
