import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CreatedApiKeyDto, TokensDto, UserDto } from '../../src/auth/auth.dto.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must } from '../support/client.js';
import { asSuperuser, REGIONS, type Region } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { createDirectory, person, PATCH } from '../support/scim.js';
import { stillReadable } from '../support/still-readable.js';
import { createTenant, signIn, uniqueName, type TestTenant } from '../support/tenants.js';

let app: Application;
/** What must be found nowhere but in answers, by what it is. */
const canaries = new Map<string, string>();

const tenants = new Map<Region, TestTenant>();

/** A text that is found again wherever it gets to, in every encoding that keeps words together. */
function canary(what: string): string {
  const text = uniqueName(`canary-${what}`);
  canaries.set(what, text);
  return text;
}

/** Nothing of whoever has it, as the rules for passwords want it. */
function passwordCanary(what: string): string {
  const text = `Qz7 ${randomBytes(12).toString('hex')}`;
  canaries.set(`password ${what}`, text);
  return text;
}

beforeAll(async () => {
  app = await startApplication({ first: true, env: { LOG_LEVEL: 'debug' } });
  for (const region of REGIONS) {
    const tenant = await createTenant(app, { region });
    tenants.set(region, tenant);
    await leaveCanaries(tenant, region);
  }
  for (const [what, secret] of Object.entries(app.firstRun))
    if (/key|password/i.test(what)) canaries.set(`first run's ${what}`, secret);
});
afterAll(() => app.dispose());

/** A person who is erased, after having done this and that. */
async function leaveErased(tenant: TestTenant, region: string): Promise<void> {
  const { api, slug, owner } = tenant;
  const email = `${canary(`erased-email-${region}`)}@people.example`;
  const password = passwordCanary(`erased-${region}`);
  const displayName = canary(`erased-name-${region}`);
  const phone = `+49309${String(Date.now()).slice(-8)}`;
  canaries.set(`erased phone ${region}`, phone);
  const { id } = await must(
    api.post<UserDto>('/v1/users', { email, password, displayName, phone, role: 'Admin' }),
    201,
  );
  const { accessToken } = await signIn(app, slug, { email, password });
  const theirs = client(app.baseUrl, accessToken, { 'user-agent': canary(`erased-browser-${region}`) });
  await must(theirs.patch('/v1/me', { displayName: canary(`erased-new-name-${region}`) }), 200);
  const { scim } = await createDirectory(app, tenant, { conflicts: 'refuse' });
  // Refused, about somebody who is known by the address only, and about somebody of the directory's.
  await scim.post('/Users', person({ userName: email, displayName: canaries.get(`erased-name-${region}`) }));
  const theirName = `${canary(`erased-directory-${region}`)}@people.example`;
  const provided = await scim.post('/Users', person({ userName: theirName }));
  await scim.send('PATCH', `/Users/${provided.body.id}`, { schemas: [PATCH], Operations: [theirName] });
  const saved = await must(api.post<{ id: string }>('/v1/audit/exports', { format: 'jsonl' }), 202);
  await eventually(async () => {
    const found = await must(api.get<{ status: string }>(`/v1/audit/exports/${saved.id}`), 200);
    expect(found.status).toBe('READY');
  }, 30_000);
  const session = client(app.baseUrl, (await signIn(app, slug, owner)).accessToken);
  await must(session.post('/v1/auth/step-up', { password: owner.password }), 200);
  const readable = await stillReadable(app.home, region as Region, tenant.id);
  const before = canariesIn(readable.texts.join('\n'), `erased-`);
  expect(before.filter((what) => what.endsWith(region)).length).toBeGreaterThan(3);
  await must(session.post(`/v1/users/${provided.body.id}/erasure`), 200);
  await must(session.post(`/v1/users/${id}/erasure`), 200);
  // What comes with the token from now on is of somebody unknown, whose browser the log has as such.
  await client(app.baseUrl, accessToken).get('/v1/me');
}

/** Uses every way in by which something sensitive comes. */
async function leaveCanaries(tenant: TestTenant, region: string): Promise<void> {
  const { api, slug, apiKey } = tenant;
  await leaveErased(tenant, region);
  const name = (what: string): string => canary(`${what}-${region}`);
  const email = `${name('email')}@people.example`;
  const password = passwordCanary(region);
  const displayName = name('display-name');
  const phone = `+49308${String(Date.now()).slice(-8)}`;
  canaries.set(`phone ${region}`, phone);
  await must(api.post('/v1/users', { email, password, displayName, phone, role: 'Admin' }), 201);
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': slug });
  const signedIn = await anyone.post<TokensDto>('/v1/auth/login', { email, password });
  const { accessToken, refreshToken } = await must(Promise.resolve(signedIn), 200);
  canaries.set(`access token ${region}`, accessToken);
  const rotated = await must(anyone.post<TokensDto>('/v1/auth/refresh', { refreshToken }), 200);
  canaries.set(`refresh token ${region}`, rotated.refreshToken);
  const [cookie = ''] = (signedIn.headers.get('set-cookie') ?? '').split(';');
  canaries.set(`session secret ${region}`, cookie.split('=')[1] ?? '');
  await anyone.post('/v1/auth/login', {
    email: `${name('mistyped-email')}@people.example`,
    password: name('mistyped-password'),
  });
  await client(app.baseUrl, `wax_${name('mistyped-key')}`).get('/v1/me');
  const key = { name: 'x', scopes: ['agent:read'] };
  const created = await must(
    api.post<CreatedApiKeyDto>('/v1/api-keys', key, { 'idempotency-key': name('idempotency-key') }),
    201,
  );
  canaries.set(`api key ${region}`, created.key);
  canaries.set(`owner's api key ${region}`, apiKey);
  const apiKeys = { openai: `sk-${name('openai-key')}`, anthropic: `sk-${name('anthropic-key')}` };
  const agent = await publishedAgent(api, { apiKeys });
  const input = { question: name('input'), deep: [{ more: name('deep-input') }] };
  const run = await runIn(api, (await startRun(api, agent.id, input)).id);
  // The demo model repeats its question: what is in the input is in output, events and checkpoints as well.
  expect(JSON.stringify(run.output)).toContain(canaries.get(`input-${region}`));
  const broken = { provider: 'openai', name: 'x', baseUrl: 'http://127.0.0.1:9/v1' };
  const failing = await publishedAgent(api, {
    model: broken,
    apiKeys: { openai: `sk-${name('unused-key')}` },
  });
  await runIn(api, (await startRun(api, failing.id, name('failed-input'))).id);
  await api
    .with({ 'user-agent': name('user-agent') })
    .post('/v1/projects', { name: 1, secret: name('wrong-body') });
}

/** Each form in which a value could stand in a dump: as it is, as hexadecimal of its bytes, as base64. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  return [
    value,
    bytes.toString('hex'),
    bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64'),
  ];
}

/** Of those whose name contains this, the ones that stand in a text that was opened. */
function canariesIn(text: string, named: string): string[] {
  return [...canaries]
    .filter(([what, value]) => what.includes(named) && text.includes(value))
    .map(([what]) => what);
}

function foundIn(text: string): string[] {
  return [...canaries]
    .filter(([, value]) => formsOf(value).some((form) => text.includes(form)))
    .map(([what]) => what);
}

it('are in no row of any table of any region: tenants, registry, audit log, queue, outbox', async () => {
  expect(canaries.size).toBeGreaterThan(30);
  const leaks: string[] = [];
  let tables = 0;
  for (const region of REGIONS) {
    await asSuperuser(app.home, region, async (database) => {
      const listed = await database.query<{ name: string }>(
        `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
      );
      for (const { name } of listed.rows) {
        const { rows } = await database.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
        tables += 1;
        for (const { row } of rows) leaks.push(...foundIn(row).map((what) => `${what} in ${region} ${name}`));
      }
    });
  }
  expect(leaks).toEqual([]);
  expect(tables).toBeGreaterThan(40);
});

it('of whoever was erased are in nothing that the keys that are left open; those of the living are', async () => {
  for (const [region, tenant] of tenants) {
    await eventually(async () => {
      const { texts, unreadable } = await stillReadable(app.home, region, tenant.id);
      const found = canariesIn(texts.join('\n'), '');
      expect(found.filter((what) => what.includes('erased'))).toEqual([]);
      const living = [`email-${region}`, `display-name-${region}`, `user-agent-${region}`, `input-${region}`];
      expect(found).toEqual(expect.arrayContaining([...living, `openai-key-${region}`, `phone ${region}`]));
      expect(texts.length).toBeGreaterThan(50);
      // What the erased keys have sealed is still there.
      expect(unreadable).toBeGreaterThan(2);
    }, 20_000);
  }
});

it('are in no log, at its most talkative', () => {
  expect(foundIn(app.logs())).toEqual([]);
  expect(app.logs()).toContain('"level":20');
});

it("are in no file of the database, its write-ahead log or its messages, and in none of the data folder's others", async () => {
  await asSuperuser(app.home, 'us-east-1', (database) => database.query('CHECKPOINT'));
  // Made by us and readable by their owner alone: this is where they belong.
  const allowed = new Set(['first-run.json', 'owner-password', 'operator-key']);
  const leaks: string[] = [];
  for (const entry of await readdir(app.home, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || allowed.has(entry.name)) continue;
    const content = await readFile(path, 'latin1').catch(() => '');
    for (const [what, value] of canaries) if (content.includes(value)) leaks.push(`${what} in ${path}`);
  }
  expect(leaks).toEqual([]);
});

it('can be found at all: the search sees what is stored in plain', async () => {
  const name = uniqueName('plain');
  const { api } = await createTenant(app);
  await must(api.post('/v1/projects', { name }), 201);
  canaries.set('plain', name);
  await eventually(async () => {
    const rows = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query<{ row: string }>('SELECT e::text AS row FROM audit.events e'),
    );
    expect(rows.rows.flatMap(({ row }) => foundIn(row))).toContain('plain');
  }, 10_000);
});
