import type { OrganisationDto } from '../../src/organisations/organisations.dto.js';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { client, must, refusal } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { OperatorOf } from '../support/organisations.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, signIn, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const operator = new OperatorOf(app);
/** Whom nothing happens to. */
let neighbour: TestTenant;
let acme: TestTenant;

beforeAll(async () => {
  neighbour = await createTenant(app, { region: 'eu-west-1' });
});
beforeEach(async () => {
  acme = await createTenant(app, { region: 'eu-west-1' });
});

describe('a renamed organisation', () => {
  it('is found by the new name at once, and by the former one with a word that it is former; nobody else can have either', async () => {
    const former = acme.slug;
    const slug = uniqueName('renamed');
    const { version } = await operator.entry(acme.id);
    const answer = await operator.rename(acme.id, version, { slug, name: 'Renamed' });
    expect(answer).toMatchObject({ status: 200, body: { slug, name: 'Renamed', version: version + 1 } });
    await eventually(async () => {
      expect((await acme.api.get('/v1/me', { 'x-tenant-slug': slug })).status).toBe(200);
    }, 1_000);
    const byFormer = await acme.api.get<{ tenant: { slug: string } }>('/v1/me', { 'x-tenant-slug': former });
    expect(byFormer).toMatchObject({ status: 200, body: { tenant: { slug } } });
    expect(byFormer.headers.get('x-tenant-slug')).toBe(slug);
    expect(byFormer.headers.get('deprecation')).toMatch(/^@\d{10}$/);
    const days = (Date.parse(byFormer.headers.get('sunset') ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89.9);
    expect(days).toBeLessThan(90.1);
    const byNew = await acme.api.get('/v1/me', { 'x-tenant-slug': slug });
    expect(byNew.headers.get('deprecation')).toBeNull();
    await signIn(app, former, acme.owner);
    await signIn(app, slug, acme.owner);
    for (const taken of [former, slug]) {
      const body = { slug: taken, name: 'x', owner: { email: 'a@b.example' } };
      expect(await refusal(operator.api.post('/v1/tenants', body))).toEqual({
        status: 409,
        code: 'SLUG_TAKEN',
      });
      const theirs = (await operator.entry(neighbour.id)).version;
      expect(await refusal(operator.rename(neighbour.id, theirs, { slug: taken }) as never)).toEqual({
        status: 409,
        code: 'SLUG_TAKEN',
      });
    }
    expect(await refusal(neighbour.api.get('/v1/me', { 'x-tenant-slug': former }))).toEqual({
      status: 403,
      code: 'TENANT_MISMATCH',
    });
  });

  it('can have its former name back, and loses it to others when the 90 days are over', async () => {
    const first = acme.slug;
    const second = uniqueName('second');
    await must(operator.rename(acme.id, 1, { slug: second }), 200);
    await must(operator.rename(acme.id, 2, { slug: first }), 200);
    await must(operator.rename(acme.id, 3, { slug: second }), 200);
    await signIn(app, first, acme.owner);
    await asSuperuser(app.home, 'us-east-1', async (database) => {
      await database.query(`UPDATE control.slugs SET until = now() WHERE slug = $1`, [first]);
      await database.query(`SELECT pg_notify('waxell', '{"kind":"tenant","tenant":"*","id":"*"}')`);
    });
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': first });
    const { email, password } = acme.owner;
    await eventually(
      async () => expect((await anyone.post('/v1/auth/login', { email, password })).status).toBe(401),
      2_000,
    );
    const heir = await createTenant(app, { slug: first });
    expect(
      (await heir.api.get<{ tenant: { id: string } }>('/v1/me', { 'x-tenant-slug': first })).body.tenant.id,
    ).toBe(heir.id);
  });

  it('gets one of two names that are asked for at once, and a name that two ask for goes to one', async () => {
    const slug = uniqueName('wanted');
    const [mine, theirs] = [await operator.entry(acme.id), await operator.entry(neighbour.id)];
    const answers = await Promise.all([
      operator.rename(acme.id, mine.version, { slug }),
      operator.rename(acme.id, mine.version, { slug: uniqueName('other') }),
      operator.rename(neighbour.id, theirs.version, { slug }),
      operator.api.post('/v1/tenants', { slug, name: 'x', owner: { email: 'a@b.example' } }),
    ]);
    const statuses = answers.map(({ status }) => status);
    expect(statuses.slice(0, 2).filter((status) => status === 200)).toHaveLength(1);
    const holders = [statuses[0] === 200, statuses[2] === 200, statuses[3] === 201].filter(Boolean);
    expect(holders).toHaveLength(1);
    const all = await operator.api.all<OrganisationDto>('/v1/tenants');
    expect(all.filter((one) => one.slug === slug)).toHaveLength(1);
  });
});
