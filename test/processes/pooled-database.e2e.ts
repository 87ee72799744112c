import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { EmbeddedPostgres } from '@waxell/infra';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import { newKey } from '../../src/platform/http/credential.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { Application, newHome } from '../support/application.js';
import { client, must } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { havePgBouncer, startPgBouncer, type TestPgBouncer } from '../support/pgbouncer.js';
import { startTestPostgres } from '../support/test-postgres.js';

const SECRET = 'pooled '.repeat(6);
const MIGRATE = fileURLToPath(new URL('../../dist/migrate.js', import.meta.url));

/** The program on a database of the operator's own, with PgBouncer in transaction mode before it. */
describe.skipIf(!(await havePgBouncer()))('an application whose database is behind PgBouncer', () => {
  let app: Application;
  let postgres: EmbeddedPostgres;
  let pooler: TestPgBouncer;
  let url: string;
  const operatorKey = newKey('operator');

  beforeAll(async () => {
    const home = await newHome();
    await mkdir(join(home, 'server'), { mode: 0o711 });
    postgres = await startTestPostgres(join(home, 'server'));
    const { host, port, user, password, database } = postgres.connection;
    url = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
    pooler = await startPgBouncer(url, SECRET, 3);
    const env = {
      DATABASE_URL: url,
      DATABASE_POOLER_URL: pooler.url,
      DATABASE_LOGIN_SECRET: SECRET,
      WORKER: 'in-process',
      WAXELL_OPERATOR_KEY_HASH: createHash('sha256').update(operatorKey).digest('hex'),
    };
    await promisify(execFile)(process.execPath, [MIGRATE], {
      env: { ...process.env, ...env, WAXELL_HOME: home },
    });
    app = new Application(home, await freePort(), env);
    app.launch();
    await eventually(async () => {
      const { ok } = await fetch(`${app.baseUrl}/readyz`);
      if (!ok) throw new Error(`Not ready:\n${app.logs()}`);
    }, 30_000);
  });
  afterAll(async () => {
    await app.stop();
    await pooler.stop();
    await postgres.stop();
    await app.dispose();
  });

  it('makes an organisation, signs its owner in, works on a run, and logs all of it', async () => {
    const owner = { email: 'owner@pooled.example', password: 'correct horse battery staple 1' };
    const tenant = { slug: 'pooled', name: 'Pooled', owner };
    await must(client(app.baseUrl, operatorKey).post('/v1/tenants', tenant), 201);
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': 'pooled' });
    const { accessToken } = await must(anyone.post<TokensDto>('/v1/auth/login', owner), 200);
    const api = client(app.baseUrl, accessToken);
    const agent = await publishedAgent(api);
    const runs = await Promise.all(Array.from({ length: 5 }, () => startRun(api, agent.id)));
    for (const { id } of runs) expect(await runIn(api, id)).toMatchObject({ status: 'COMPLETED' });
    const verified = await must(api.get<{ valid: boolean; checked: number }>('/v1/audit/verify'), 200);
    expect(verified.valid).toBe(true);
    expect(verified.checked).toBeGreaterThan(10);
  });

  it('holds no more connections of the serving logins than the pooler does, but for the change feed’s', async () => {
    const database = new pg.Client(url);
    await database.connect();
    const { rows } = await database.query<{ login: string; held: number }>(
      `SELECT usename AS login, count(*)::int AS held FROM pg_stat_activity
       WHERE usename IN ('waxell_app', 'waxell_control', 'waxell_audit') GROUP BY 1`,
    );
    await database.end();
    const held = Object.fromEntries(rows.map(({ login, held: count }) => [login, count]));
    expect(held['waxell_app']).toBeLessThanOrEqual(3);
    expect(held['waxell_audit']).toBeLessThanOrEqual(3);
    expect(held['waxell_control']).toBeLessThanOrEqual(3 + 1);
  });
});
