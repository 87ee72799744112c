import { setTimeout as sleep } from 'node:timers/promises';
import type { ProjectDto } from '../../src/agents/agents.dto.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createProject, publishedAgent, runIn, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client } from '../support/client.js';
import { asSuperuser, postmaster } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { discrepancies, readBooks, verified } from '../support/log-book.js';
import { createApiKey, createTenant, type TestTenant } from '../support/tenants.js';
import { Traffic } from '../support/traffic.js';

let app: Application;
let acme: TestTenant;

beforeEach(async () => {
  app = await startApplication();
  acme = await createTenant(app);
});
afterEach(() => app.dispose());

/** Process ids of the server's connections of one login. */
async function backendsOf(login: string): Promise<number[]> {
  return asSuperuser(app.home, 'us-east-1', async (database) => {
    const { rows } = await database.query<{ pid: number }>(
      'SELECT pid FROM pg_stat_activity WHERE usename = $1',
      [login],
    );
    return rows.map(({ pid }) => pid);
  });
}

describe('a database whose process crashes under the application', () => {
  it('is back in seconds: until then 503, afterwards everything that was answered, nothing twice', async () => {
    const traffic = new Traffic();
    traffic.build(acme.api);
    traffic.build(acme.api);
    traffic.run(acme.api, (await publishedAgent(acme.api)).id, 20);
    await sleep(500);
    const [victim] = await backendsOf('waxell_app');
    if (victim === undefined) throw new Error('The application has no connection.');
    process.kill(victim, 'SIGKILL');
    const answers = new Set<number>();
    for (const until = Date.now() + 2_000; Date.now() < until; await sleep(10))
      answers.add((await acme.api.get('/v1/projects')).status);
    expect([...answers].every((status) => status === 200 || status === 503)).toBe(true);
    await eventually(async () => expect((await client(app.baseUrl).get('/readyz')).status).toBe(200), 15_000);
    await traffic.stop();
    const books = await readBooks(acme.api);
    const ids = new Set([...books.projects, ...books.agents, ...books.runs].map(({ id }) => id));
    for (const id of [...traffic.answered.projects, ...traffic.answered.agents, ...traffic.answered.runs])
      expect(ids).toContain(id);
    for (const { id } of books.runs) await runIn(acme.api, id, undefined, 40_000);
    await verified(acme.api);
    expect(discrepancies(await readBooks(acme.api))).toEqual([]);
  });

  it('does not leave a revoked key alive, although the news of it could not be sent', async () => {
    const { id, key } = await createApiKey(acme.api, ['*:read']);
    const api = client(app.baseUrl, key);
    expect((await api.get('/v1/me')).status).toBe(200);
    // The connection on which changes are heard, and every other of the control login.
    await asSuperuser(app.home, 'us-east-1', async (database) => {
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'waxell_control'`,
      );
      await database.query(`UPDATE "${acme.id}".api_keys SET revoked_at = now() WHERE id = $1`, [id]);
    });
    await eventually(async () => expect((await api.get('/v1/me')).status).toBe(401), 2_000);
    await sleep(1_500);
    expect((await api.get('/v1/me')).status).toBe(401);
  });
});

describe('an embedded database that is gone for good', () => {
  it('ends the application, which says why and does not end with success', async () => {
    const project = await createProject(acme.api);
    const { pid } = await postmaster(app.home);
    process.kill(pid, 'SIGKILL');
    expect(await app.exited(10_000)).toBe(1);
    expect(app.logs()).toContain('The embedded PostgreSQL ended');
    await eventually(async () => expect(await app.processesOnHome()).toEqual([]), 10_000);
    await app.start();
    expect(await acme.api.all<ProjectDto>('/v1/projects')).toEqual([project]);
    await verified(acme.api);
  });
});

it('a shutdown in the middle of runs puts them back, and the next start finishes them', async () => {
  const agent = await publishedAgent(acme.api);
  const runs = await Promise.all(Array.from({ length: 20 }, () => startRun(acme.api, agent.id)));
  await app.stop();
  await app.start();
  for (const { id } of runs) expect((await runIn(acme.api, id)).status).toBe('COMPLETED');
  expect(discrepancies(await readBooks(acme.api))).toEqual([]);
});
