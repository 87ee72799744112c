import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProjectDto } from '../../src/agents/agents.dto.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProject } from '../support/agents.js';
import { Application, newHome, startApplication } from '../support/application.js';
import { client, must } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { createTenant, signIn } from '../support/tenants.js';

// One application for all: each test leaves it running.
let app: Application;
const homes: string[] = [];

beforeAll(async () => {
  app = await startApplication({ first: true });
});
afterAll(async () => {
  await app.dispose();
  await Promise.all(homes.map((home) => rm(home, { recursive: true })));
});

async function emptyHome(): Promise<string> {
  const home = await newHome();
  homes.push(home);
  return home;
}

/** Starts a process that ought not to come up, and answers what it says and how it ends. */
async function refusedStart(
  home: string,
  env: Record<string, string> = {},
): Promise<{ code: number | null; said: string }> {
  const app = new Application(home, 1, { PORT: '0', ...env });
  app.launch();
  const code = await app.exited(30_000);
  return { code, said: app.logs() };
}

describe('the first start', () => {
  it('writes credentials that work, to files that only their owner can read', async () => {
    expect(Object.keys(app.firstRun).sort()).toEqual(
      ['apiKey', 'baseUrl', 'operatorKey', 'ownerEmail', 'ownerPassword', 'tenant'].sort(),
    );
    const files = (await readdir(app.home)).filter(
      (name) => !['postgres', 'kms', 'cells', 'objects'].includes(name),
    );
    expect(files).toEqual(
      expect.arrayContaining(['first-run.json', 'master.key', 'operator-key', 'owner-password']),
    );
    for (const file of files)
      expect({ file, mode: (await stat(join(app.home, file))).mode & 0o777 }).toEqual({ file, mode: 0o600 });
    const { tenant, ownerEmail, ownerPassword, apiKey, operatorKey } = app.firstRun;
    const owner = await signIn(app, tenant, { email: ownerEmail, password: ownerPassword });
    for (const key of [apiKey, owner.accessToken])
      expect((await client(app.baseUrl, key).get<{ tenant: unknown }>('/v1/me')).body.tenant).toMatchObject({
        slug: 'demo',
      });
    expect((await client(app.baseUrl, operatorKey).get('/v1/tenants')).status).toBe(200);
  });

  it('says where to look and what to paste, without a secret', async () => {
    expect(app.logs()).toContain(join(app.home, 'first-run.json'));
    expect(app.logs()).toMatch(/curl http:\/\/localhost:\d+\/v1\/me/);
    const { ownerPassword, apiKey, operatorKey } = app.firstRun;
    for (const secret of [ownerPassword, apiKey, operatorKey]) expect(app.logs()).not.toContain(secret);
  });
});

describe('a later start', () => {
  it('keeps data, credentials and tokens', async () => {
    const acme = await createTenant(app);
    const { accessToken } = await signIn(app, acme.slug, acme.owner);
    const project = await createProject(acme.api);
    const before = app.firstRun;
    await app.restart();
    expect(app.firstRun).toEqual(before);
    for (const key of [acme.apiKey, accessToken]) {
      const projects = await client(app.baseUrl, key).all<ProjectDto>('/v1/projects');
      expect(projects).toEqual([project]);
    }
    const verified = await must(acme.api.get<{ valid: boolean }>('/v1/audit/verify'), 200);
    expect(verified.valid).toBe(true);
  });

  it('refuses a second copy on the same data folder, and leaves the first one alone', async () => {
    const { code, said } = await refusedStart(app.home);
    expect(code).not.toBe(0);
    expect(said).toContain(`${app.home} is in use by process ${app.pid}`);
    expect(said).not.toContain('    at ');
    expect((await client(app.baseUrl).get('/readyz')).status).toBe(200);
  });
});

describe('a stop', () => {
  it('by Ctrl-C is clean, and leaves no PostgreSQL behind', async () => {
    expect(await app.processesOnHome()).not.toEqual([]);
    await app.stop();
    expect(await app.processesOnHome()).toEqual([]);
    expect(app.logs()).not.toMatch(/"level":(50|60)|Error/);
    await app.start();
  });

  it('finishes the request at work', async () => {
    const acme = await createTenant(app);
    const answers = Array.from({ length: 20 }, (_, at) =>
      sleep(at * 5).then(() => acme.api.post('/v1/projects', { name: `p${at}` }).catch(() => undefined)),
    );
    await sleep(30);
    await app.stop();
    const made = (await Promise.all(answers)).filter((answer) => answer?.status === 201).length;
    expect(made).toBeGreaterThan(0);
    await app.start();
    const kept = await acme.api.all<ProjectDto>('/v1/projects');
    expect(kept.length).toBeGreaterThanOrEqual(made);
  });

  it('by kill -9 leaves no PostgreSQL behind either', async () => {
    await app.kill9();
    await eventually(async () => expect(await app.processesOnHome()).toEqual([]), 5_000);
    await app.start();
  });
});

describe('an environment that is not fit', () => {
  const SECRET = 'postgres://owner:canary-password@db.invalid:5432/waxell';

  it('is refused in production, by the names of all missing variables, and nothing is made', async () => {
    const home = await emptyHome();
    const { code, said } = await refusedStart(home, { NODE_ENV: 'production' });
    expect(code).not.toBe(0);
    for (const name of [
      'DATABASE_URL',
      'DATABASE_LOGIN_SECRET',
      'REDIS_URL',
      'AWS_REGION',
      'S3_BUCKET',
      'PUBLIC_URL',
    ])
      expect(said).toContain(name);
    expect(await readdir(home)).toEqual([]);
  });

  it.each([
    ['a short secret', { DATABASE_LOGIN_SECRET: 'canary' }, 'DATABASE_LOGIN_SECRET'],
    ['a URL that is none', { DATABASE_URL: 'canary://x' }, 'DATABASE_URL'],
    ['cells that are no JSON', { CELLS: `[{"databaseUrl":"${SECRET}` }, 'CELLS'],
    [
      'a cell without its region',
      { CELLS: `[{"name":"eu-1","databaseUrl":"postgres://${SECRET}"}]` },
      'CELLS',
    ],
    ['a key hash that is none', { WAXELL_OPERATOR_KEY_HASH: 'canary' }, 'WAXELL_OPERATOR_KEY_HASH'],
    ['a port that is none', { PORT: 'canary' }, 'PORT'],
    ['some parts of production', { NODE_ENV: 'production', DATABASE_URL: SECRET }, 'REDIS_URL'],
  ])('is refused by the name of the variable, never by its value: %s', async (_what, env, name) => {
    const { code, said } = await refusedStart(await emptyHome(), env);
    expect(code).not.toBe(0);
    expect(said).toContain(name);
    expect(said).not.toContain('canary');
  });
});
