import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishedAgent, startRun } from '../support/agents.js';
import { Application, startApplication } from '../support/application.js';
import { client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

const REGION = 'us-east-1';
let app: Application;
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  app = await startApplication({ env: { WORKER: 'separate' } });
  acme = await createTenant(app);
  other = await createTenant(app);
});
afterAll(() => app.dispose());

const superuser = <Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> =>
  asSuperuser(app.home, REGION, async (database) => (await database.query<Row>(text, values)).rows);

/** Puts a tenant's schema behind the program, or back, as far as anybody can tell. */
async function setVersion(
  tenant: TestTenant,
  change: '- 1' | '+ 1',
  kind: 'tenant' | 'schemas',
): Promise<void> {
  await superuser(`UPDATE migrations.schemas SET version = version ${change} WHERE schema = $1`, [tenant.id]);
  await superuser('SELECT pg_notify($1, $2)', ['waxell', JSON.stringify({ kind, tenant: '*', id: '*' })]);
}

describe('a tenant whose schema is behind the program', () => {
  it('is not served, however it is named, until its migration is announced; others go on', async () => {
    const { refreshToken } = await signIn(app, acme.slug, acme.owner);
    expect((await acme.api.get('/v1/projects')).status).toBe(200);
    await setVersion(acme, '- 1', 'tenant');
    const refused = await eventually(async () => {
      const answer = await acme.api.get('/v1/projects');
      expect(answer.status).toBe(503);
      return answer;
    }, 5_000);
    expect(refused.body).toMatchObject({ code: 'TENANT_BEING_UPGRADED' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
    for (const [path, body] of [
      ['/v1/auth/login', { email: acme.owner.email, password: acme.owner.password }],
      ['/v1/auth/refresh', { refreshToken }],
    ] as const)
      expect(await anyone.post(path, body)).toMatchObject({
        status: 503,
        body: { code: 'TENANT_BEING_UPGRADED' },
      });
    // A refresh token says itself whose it is.
    const unnamed = await client(app.baseUrl).post('/v1/auth/refresh', { refreshToken });
    expect(unnamed).toMatchObject({ status: 503, body: { code: 'TENANT_BEING_UPGRADED' } });
    expect((await other.api.get('/v1/projects')).status).toBe(200);

    await setVersion(acme, '+ 1', 'schemas');
    await eventually(async () => expect((await acme.api.get('/v1/projects')).status).toBe(200), 2_000);
    const refreshed = await client(app.baseUrl).post('/v1/auth/refresh', { refreshToken });
    expect(refreshed.status).toBe(200);
  });

  it('does not keep the program from starting; its runs wait, and are taken up when it is migrated', async () => {
    const agent = await publishedAgent(acme.api);
    const run = await startRun(acme.api, agent.id);
    const otherRun = await startRun(other.api, (await publishedAgent(other.api)).id);
    const status = async (tenant: TestTenant, id: string): Promise<string | undefined> =>
      (await superuser<{ status: string }>(`SELECT status FROM "${tenant.id}".runs WHERE id = $1`, [id]))[0]
        ?.status;
    await setVersion(acme, '- 1', 'tenant');
    await app.stop();
    app = new Application(app.home, app.port, {});
    await app.start();
    expect(app.logs()).toContain(`Tenant ${acme.id} is not served`);
    await eventually(async () => expect(await status(other, otherRun.id)).toBe('COMPLETED'), 30_000);
    await sleep(1_000);
    expect(await status(acme, run.id)).toBe('PENDING');
    await setVersion(acme, '+ 1', 'schemas');
    await eventually(async () => expect(await status(acme, run.id)).toBe('COMPLETED'), 60_000);
  });
});

describe('npm run db:migrate', () => {
  const MIGRATE = fileURLToPath(new URL('../../dist/migrate.js', import.meta.url));
  async function migrate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', WAXELL_HOME: app.home };
    const child = spawn(process.execPath, [MIGRATE, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (text: Buffer) => (out += text.toString()));
    child.stderr.on('data', (text: Buffer) => (err += text.toString()));
    const [code] = (await once(child, 'close')) as [number];
    return { code, out, err };
  }

  it('says how it is called, and refuses what it does not know', async () => {
    expect(await migrate('-h')).toMatchObject({ code: 0, out: expect.stringContaining('--canary') });
    for (const args of [
      ['--plann'],
      ['--workers', '0'],
      ['--workers', '17'],
      ['--batch', 'x'],
      ['--canary'],
      ['all'],
    ])
      expect(await migrate(...args)).toMatchObject({
        code: 2,
        out: '',
        err: expect.stringContaining('Usage'),
      });
  });

  it('shows what it would do without doing it, does it, and fails with the tenants that failed', async () => {
    await setVersion(acme, '- 1', 'tenant');
    await app.stop();
    const plan = await migrate('--plan');
    expect(plan).toMatchObject({ code: 0, err: '' });
    expect(plan.out).toMatch(
      /us-east-1-c1:\n {2}Tenant\w+, to 1 tenant and 0 spares\n {4}(?:CREATE|ALTER) TABLE/,
    );
    expect(plan.out).toContain('eu-west-1-c1: nothing to do');
    expect(await migrate('--plan')).toEqual(plan);
    const unknown = await migrate('--canary', 'nobody-at-all');
    expect(unknown).toMatchObject({
      code: 2,
      err: expect.stringContaining('There is no organisation nobody-at-all'),
    });
    // What it would make is there already, whatever its version says.
    const failed = await migrate('--canary', acme.slug);
    expect(failed.code).toBe(1);
    expect(failed.out).toContain(acme.id);
    expect(failed.out).toMatch(/already exists|duplicate key/);
    expect(failed.out).toContain('stopped at a canary');
    await app.start();
    await setVersion(acme, '+ 1', 'schemas');
    await app.stop();
    expect(await migrate()).toMatchObject({
      code: 0,
      out: expect.stringContaining('us-east-1-c1: 0 shared migrations'),
    });
  });
});
