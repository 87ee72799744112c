import type { CreatedOrganisationDto, OrganisationDto } from '../../src/organisations/organisations.dto.js';
import { describe, expect, it } from 'vitest';
import { createAgent, publishedAgent, runIn, startRun } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal } from '../support/client.js';
import { asSuperuser, REGIONS, type Region } from '../support/embedded-database.js';
import { createTenant, signIn, uniqueName } from '../support/tenants.js';

const app = sharedApplication();
const operator = client(app.baseUrl, app.firstRun.operatorKey);

/** How many tables with rows, log entries, queued runs and roles a region's database has of a tenant. */
async function traces(region: Region, tenant: string): Promise<Record<string, number>> {
  return asSuperuser(app.home, region, async (database) => {
    const count = async (sql: string): Promise<number> =>
      Number((await database.query<{ n: string }>(sql, [tenant])).rows[0]?.n ?? 0);
    return {
      tables: await count('SELECT count(*) AS n FROM pg_tables WHERE schemaname = $1'),
      events: await count('SELECT count(*) AS n FROM audit.events WHERE tenant = $1'),
      heads: await count('SELECT count(*) AS n FROM audit.heads WHERE tenant = $1'),
      ledger: await count('SELECT count(*) AS n FROM migrations.ledger WHERE schema = $1'),
      jobs: await count(`SELECT count(*) AS n FROM queue.job WHERE data->>'tenantId' = $1`),
    };
  });
}

it('creates an organisation whose owner can sign in, with a password that is shown once', async () => {
  const slug = uniqueName('org');
  const email = 'first@owner.example';
  const body = { slug, name: 'Organisation', owner: { email } };
  const created = await must(operator.post<CreatedOrganisationDto>('/v1/tenants', body), 201);
  expect(created).toMatchObject({ slug, region: 'us-east-1', status: 'active', owner: { email } });
  const tokens = await signIn(app, slug, { email, password: created.owner.password ?? '' });
  const api = client(app.baseUrl, tokens.accessToken);
  expect((await api.get<{ tenant: { slug: string } }>('/v1/me')).body.tenant.slug).toBe(slug);
  const listed = await operator.all<OrganisationDto>('/v1/tenants', 2);
  expect(listed.filter((one) => one.slug === slug)).toHaveLength(1);
  expect(JSON.stringify(listed)).not.toContain(email);
});

it('refuses a slug that exists, also when two ask for it at once, and makes it once', async () => {
  const slug = uniqueName('twice');
  const ask = () => operator.post('/v1/tenants', { slug, name: 'x', owner: { email: 'a@b.example' } });
  const answers = await Promise.all([ask(), ask(), ask()]);
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409, 409]);
  expect(await refusal(ask())).toEqual({ status: 409, code: 'SLUG_TAKEN' });
});

it('puts everything of an organisation into the region that was asked for, and nothing elsewhere', async () => {
  const european = await createTenant(app, { region: 'eu-west-1' });
  const run = await startRun(european.api, (await publishedAgent(european.api)).id);
  expect((await runIn(european.api, run.id)).status).toBe('COMPLETED');
  await must(european.api.get('/v1/audit/verify'), 200);
  const [america, europe] = await Promise.all(REGIONS.map((region) => traces(region, european.id)));
  expect(america).toEqual({ tables: 0, events: 0, heads: 0, ledger: 0, jobs: 0 });
  expect(europe?.['tables']).toBeGreaterThan(10);
  expect(europe?.['events']).toBeGreaterThan(3);
});

it('has its own log for what belongs to no organisation', async () => {
  const { headers } = await operator.post('/v1/tenants', { slug: 'Bad Slug' });
  const known = await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query<{ event: Buffer }>(`SELECT event FROM audit.events WHERE tenant = 't_0000000000000000'`),
  );
  const events = known.rows.map(({ event }) => JSON.parse(event.toString()) as Record<string, unknown>);
  const refused = events.find(
    ({ request }) => (request as { id?: string } | undefined)?.id === headers.get('x-request-id'),
  );
  expect(refused).toMatchObject({
    action: 'tenant.created',
    outcome: 'failure',
    actor: { type: 'operator' },
  });
});

it('sees nothing inside an organisation', async () => {
  const acme = await createTenant(app);
  const { id } = await createAgent(acme.api);
  const inside = operator.with({ 'x-tenant-slug': acme.slug });
  for (const path of [`/v1/agents/${id}`, '/v1/users', '/v1/audit/events', '/v1/me'])
    expect(await refusal(inside.get(path))).toEqual({ status: 403, code: 'PERMISSION_DENIED' });
});

const INVALID = { status: 400, code: 'INVALID_REQUEST' };

describe('a new organisation', () => {
  const body = () => ({ slug: uniqueName('org'), name: 'Org', owner: { email: 'a@b.example' } });

  it.each([
    ['of an unknown region', { region: 'mars-north-1' }],
    ['of a region that is null', { region: null }],
    ['with a slug in capitals', { slug: 'ACME' }],
    ['with a slug that is SQL', { slug: 'a"; DROP SCHEMA x; --' }],
    ['with a slug of two lines', { slug: 'acme\nx' }],
    ['with an owner that is a text', { owner: 'a@b.example' }],
    ['with an owner without address', { owner: {} }],
    ['with a password that is null', { owner: { email: 'a@b.example', password: null } }],
    ['with a short password', { owner: { email: 'a@b.example', password: 'short' } }],
    ['with a status', { status: 'active' }],
  ])('is refused %s, and leaves nothing behind', async (_what, wrong) => {
    const asked = { ...body(), ...wrong };
    expect(await refusal(operator.post('/v1/tenants', asked))).toEqual(INVALID);
    const slugs = (await operator.all<{ slug: string }>('/v1/tenants')).map(({ slug }) => slug);
    expect(slugs).not.toContain(asked.slug);
  });

  it('is refused when its slug is taken', async () => {
    const answer = operator.post('/v1/tenants', { ...body(), slug: 'demo' });
    expect(await refusal(answer)).toEqual({ status: 409, code: 'SLUG_TAKEN' });
  });
});
