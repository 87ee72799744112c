import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import { createAgent, publishedAgent, readRun, runIn, startRun } from '../support/agents.js';
import type { Application } from '../support/application.js';
import { installCells, type CellInstallation } from '../support/cell-processes.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { beginMove, operationEnded, readOperation, writesPaused } from '../support/moves.js';
import { print } from '../support/print.js';
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const HERE = 'eu-west-1';
const THERE = 'us-east-1';
const INVALID = { status: 400, code: 'INVALID_REQUEST' };
const UNCONFIRMED = { status: 422, code: 'REGION_NOT_CONFIRMED' };

let cells: CellInstallation;
let one: Application;
let other: Application;
let operator: Client;
/** Lives in the other region from when it was moved there. */
let american: TestTenant;

beforeAll(async () => {
  cells = await installCells([
    { name: 'eu-a1', region: HERE },
    { name: 'eu-a2', region: HERE, capacity: 40 },
    { name: 'us-b1', region: THERE, capacity: 3 },
  ]);
  one = await cells.start();
  other = await cells.start();
  operator = client(one.baseUrl, cells.operatorKey);
});
afterAll(() => cells.dispose());

async function cellOf(tenant: string): Promise<string | undefined> {
  const { rows } = await cells.asOwner('eu-a1', (home) =>
    home.query<{ cell: string }>('SELECT cell FROM control.tenants WHERE id = $1', [tenant]),
  );
  return rows[0]?.cell;
}

async function schemasIn(cell: string): Promise<string[]> {
  const { rows } = await cells.asOwner(cell, (database) =>
    database.query<{ nspname: string }>(`SELECT nspname FROM pg_namespace WHERE nspname ~ '^t_'`),
  );
  return rows.map(({ nspname }) => nspname);
}

/** The same caller at another process. */
const at = (application: Application, { apiKey }: TestTenant): Client => client(application.baseUrl, apiKey);

describe('new organisations', () => {
  it('go to the cell of their region that is the least full by its own capacity', async () => {
    const made: (string | undefined)[] = [];
    for (let n = 0; n < 3; n += 1) {
      const { id } = await createTenant(one, { region: HERE });
      made.push(await cellOf(id));
      expect(await schemasIn(made.at(-1) ?? '')).toContain(id);
    }
    // Two of a1's 2,000 places weigh less than one of a2's forty.
    expect(made).toEqual(['eu-a1', 'eu-a2', 'eu-a1']);
  });
});

describe('a move', () => {
  let tenant: TestTenant;
  beforeAll(async () => {
    tenant = await createTenant(one, { region: HERE });
  });

  it.each([
    ['without a target', {}, INVALID],
    ['to a cell and a region at once', { cell: 'eu-a2', region: HERE }, INVALID],
    ['to a cell that there is none of', { cell: 'eu-c9' }, INVALID],
    ['to a region that there is none of', { region: 'mars-north-1' }, INVALID],
    ['to where it is', { cell: 'eu-a1' }, { status: 409, code: 'SAME_CELL' }],
    ['to another region unconfirmed', { cell: 'us-b1' }, UNCONFIRMED],
    ['to another region misread', { cell: 'us-b1', confirmRegion: HERE }, UNCONFIRMED],
    ['with a pause of an hour', { cell: 'eu-a2', pauseSeconds: 3600 }, INVALID],
  ])('is refused %s', async (_what, body, expected) => {
    expect(await refusal(operator.post(`/v1/tenants/${tenant.id}/move`, body))).toEqual(expected);
    expect(await cellOf(tenant.id)).toBe('eu-a1');
  });

  it('is refused of an organisation that there is none of, and to who is not the operator', async () => {
    const unknown = operator.post('/v1/tenants/t_ffffffffffffffff/move', { cell: 'eu-a2' });
    expect(await refusal(unknown)).toEqual({ status: 404, code: 'NOT_FOUND' });
    expect((await refusal(operator.post('/v1/tenants/x/move', { cell: 'eu-a2' }))).status).toBe(404);
    const own = tenant.api.post(`/v1/tenants/${tenant.id}/move`, { cell: 'eu-a2' });
    expect(await refusal(own)).toEqual({ status: 403, code: 'PERMISSION_DENIED' });
  });

  it('is refused of an organisation that is not active', async () => {
    const suspended = await createTenant(one, { region: HERE });
    const set = (status: string) =>
      cells.asOwner('eu-a1', (home) =>
        home.query('UPDATE control.tenants SET status = $2 WHERE id = $1', [suspended.id, status]),
      );
    await set('suspended');
    const asked = operator.post(`/v1/tenants/${suspended.id}/move`, { cell: 'us-b1', confirmRegion: THERE });
    expect(await refusal(asked)).toEqual({ status: 409, code: 'TENANT_NOT_ACTIVE' });
    await set('active');
  });

  it('within the region needs no confirmation, and one at a time is made', async () => {
    const agent = await publishedAgent(tenant.api);
    const { id } = await beginMove(operator, tenant.id, { region: HERE, keepSeconds: 2 });
    const again = operator.post(`/v1/tenants/${tenant.id}/move`, { cell: 'us-b1', confirmRegion: THERE });
    expect(await refusal(again)).toEqual({ status: 409, code: 'OPERATION_UNDER_WAY' });
    const ended = await operationEnded(operator, tenant.id, id);
    expect(ended).toMatchObject({
      status: 'done',
      kind: 'tenant.move',
      progress: { from: 'eu-a1', to: 'eu-a2' },
    });
    expect(await cellOf(tenant.id)).toBe('eu-a2');
    expect(await schemasIn('eu-a1')).not.toContain(tenant.id);
    expect(await schemasIn('eu-a2')).toContain(tenant.id);
    for (const process of [one, other]) {
      const api = at(process, tenant);
      expect((await must(api.get<AgentDto>(`/v1/agents/${agent.id}`), 200)).id).toBe(agent.id);
      expect((await runIn(api, (await startRun(api, agent.id)).id)).status).toBe('COMPLETED');
    }
    await verified(tenant.api);
    const told = await tenant.api.all<{ changes: object }>('/v1/audit/events?action=tenant.moved');
    expect(told.map(({ changes }) => changes)).toEqual([{ from: 'eu-a1', to: 'eu-a2', region: HERE }]);
    const cancel = operator.post(`/v1/tenants/${tenant.id}/operations/${id}/cancel`);
    expect(await refusal(cancel)).toEqual({ status: 409, code: 'NOT_CANCELLABLE' });
    const foreign = (await createTenant(one)).id;
    const elsewhere = operator.get(`/v1/tenants/${foreign}/operations/${id}`);
    expect(await refusal(elsewhere)).toEqual({ status: 404, code: 'NOT_FOUND' });
  });

  it('keeps the orders to run: a run that is at work is taken up where the organisation is then', async () => {
    const agent = await publishedAgent(tenant.api, { model: { name: 'demo-slow' } });
    const run = await startRun(tenant.api, agent.id);
    await runIn(tenant.api, run.id, new Set(['RUNNING']));
    const { id } = await beginMove(operator, tenant.id, { cell: 'eu-a1' });
    expect(await operationEnded(operator, tenant.id, id)).toMatchObject({ status: 'done' });
    expect((await runIn(tenant.api, run.id)).status).toBe('COMPLETED');
    const waiting = await cells.asOwner('eu-a2', (database) =>
      database.query('SELECT 1 FROM work.runs WHERE tenant = $1', [tenant.id]),
    );
    expect(waiting.rowCount).toBe(0);
  });

  it('is heard by a process that was away: it answers nothing that is old', async () => {
    const agent = await createAgent(tenant.api);
    const awayed = at(other, tenant);
    await must(awayed.get(`/v1/agents/${agent.id}`), 200);
    process.kill(other.pid, 'SIGSTOP');
    try {
      const { id } = await beginMove(operator, tenant.id, { cell: 'eu-a2', keepSeconds: 600 });
      await eventually(async () => expect(await cellOf(tenant.id)).toBe('eu-a2'), 60_000);
      const description = uniqueName('new');
      await must(tenant.api.patch(`/v1/agents/${agent.id}`, { description }), 200);
      const asked = Array.from({ length: 20 }, () => awayed.get<AgentDto>(`/v1/agents/${agent.id}`));
      const written = awayed.patch(`/v1/agents/${agent.id}`, { name: uniqueName('b') });
      await sleep(50);
      process.kill(other.pid, 'SIGCONT');
      for (const answer of await Promise.all(asked)) {
        if (answer.status === 200) expect(answer.body.description).toBe(description);
        else expect(answer).toMatchObject({ status: 503, body: { code: 'TENANT_MOVING' } });
      }
      expect([200, 503]).toContain((await written).status);
      const after = await must(awayed.get<AgentDto>(`/v1/agents/${agent.id}`), 200);
      expect(after.description).toBe(description);
      // And if it had not heard: of the copy that is kept for a while the database gives nobody anything.
      const { rows } = await cells.asOwner('eu-a1', (database) =>
        database.query(
          `SELECT has_schema_privilege($1::name, $1::text, 'USAGE') AS reads, has_table_privilege($1::name, $1::text || '.agents', 'INSERT') AS writes,
             (SELECT closed_at = seq FROM audit.heads WHERE tenant = $1::text) AS closed`,
          [tenant.id],
        ),
      );
      expect(rows).toEqual([{ reads: false, writes: false, closed: true }]);
      // That copy is not waited for.
      await cells.asOwner('eu-a1', (home) =>
        home.query('UPDATE control.operations SET due_at = now() WHERE id = $1', [id]),
      );
      expect(await operationEnded(operator, tenant.id, id)).toMatchObject({ status: 'done' });
      await verified(tenant.api);
    } finally {
      process.kill(other.pid, 'SIGCONT');
    }
  });
});

describe('a move whose target goes away in the pause', () => {
  it('gives writes back at once, and is made when the target is back', async () => {
    const tenant = await createTenant(one, { region: HERE });
    american = tenant;
    const source = await cellOf(tenant.id);
    const { id } = await beginMove(operator, tenant.id, { cell: 'us-b1', confirmRegion: THERE });
    await cells.asOwner('eu-a1', (home) => writesPaused(home, tenant.id));
    await cells.reachable('us-b1', false);
    const away = performance.now();
    await eventually(() => must(tenant.api.post('/v1/projects', { name: 'x' }), 201), 20_000);
    print(`writes were back ${Math.round(performance.now() - away)} ms after the target went away`);
    expect(await cellOf(tenant.id)).toBe(source);
    await eventually(
      async () => expect((await readOperation(operator, tenant.id, id)).error).toBeDefined(),
      20_000,
    );
    await cells.reachable('us-b1', true);
    expect(await operationEnded(operator, tenant.id, id)).toMatchObject({ status: 'done' });
    expect((await tenant.api.all('/v1/projects')).length).toBe(1);
    await verified(tenant.api);
  });
});

describe('a move whose process is killed in the pause', () => {
  it('is finished by another process, once the lease of the dead one has ended', async () => {
    const tenant = await createTenant(other, { region: HERE });
    const third = await cells.start();
    const agent = await publishedAgent(tenant.api);
    // The one that is asked is the one that begins; it is nudged, the others look once a second.
    const { id } = await beginMove(client(third.baseUrl, cells.operatorKey), tenant.id, { region: HERE });
    await cells.asOwner('eu-a1', (home) => writesPaused(home, tenant.id));
    const begun = performance.now();
    await third.kill9();
    await eventually(
      () => must(at(other, tenant).post(`/v1/agents/${agent.id}/runs`, { input: 'x' }), 202),
      60_000,
    );
    print(`writes were back ${Math.round(performance.now() - begun)} ms after the process was killed`);
    const elsewhere = client(other.baseUrl, cells.operatorKey);
    expect(await operationEnded(elsewhere, tenant.id, id)).toMatchObject({ status: 'done' });
    await verified(at(other, tenant));
  });
});

describe('a full cell', () => {
  it('takes no more: neither new organisations nor moving ones', async () => {
    await eventually(async () => {
      const asked = { slug: uniqueName('full'), name: 'x', region: THERE, owner: { email: 'a@b.example' } };
      expect(await refusal(operator.post('/v1/tenants', asked))).toEqual({
        status: 503,
        code: 'REGION_FULL',
      });
    }, 30_000);
    const tenant = await createTenant(one, { region: HERE });
    const body = { cell: 'us-b1', confirmRegion: THERE };
    const named = operator.post(`/v1/tenants/${tenant.id}/move`, body);
    expect(await refusal(named)).toEqual({ status: 503, code: 'CELL_FULL' });
    const chosen = operator.post(`/v1/tenants/${tenant.id}/move`, { region: THERE, confirmRegion: THERE });
    expect(await refusal(chosen)).toEqual({ status: 503, code: 'REGION_FULL' });
  });
});

describe('a process that serves one region', () => {
  let abroad: Application;
  let tenant: TestTenant;
  beforeAll(async () => {
    tenant = await createTenant(one, { region: HERE });
    abroad = await cells.start({
      SERVE_REGIONS: THERE,
      REGION_URLS: JSON.stringify({ [HERE]: 'https://eu.waxell.example' }),
    });
  });

  it('answers for other regions where to ask, and redirects nobody with a credential', async () => {
    const answers = [
      await at(abroad, tenant).get('/v1/me'),
      await at(abroad, tenant).post('/v1/projects', { name: 'x' }),
      await client(abroad.baseUrl, undefined, { 'x-tenant-slug': tenant.slug }).post('/v1/auth/login', {
        email: tenant.owner.email,
        password: tenant.owner.password,
      }),
    ];
    for (const { status, body, headers } of answers) {
      expect(status).toBe(421);
      expect(body).toMatchObject({
        code: 'WRONG_REGION',
        region: { name: HERE, url: 'https://eu.waxell.example' },
      });
      expect(headers.get('location')).toBeNull();
    }
    const made = { slug: uniqueName('x'), name: 'x', region: HERE, owner: { email: 'a@b.example' } };
    const create = client(abroad.baseUrl, cells.operatorKey).post('/v1/tenants', made);
    expect(await refusal(create)).toEqual({ status: 421, code: 'WRONG_REGION' });
  });

  it('works on runs of its region, and on no other', async () => {
    const agent = await publishedAgent(tenant.api);
    await one.stop();
    await other.stop();
    // Serves every region, and works on no run.
    const serving = await cells.start({ WORKER: 'separate' });
    const run = await startRun(at(serving, tenant), agent.id);
    const local = at(abroad, american);
    const localRun = await startRun(local, (await publishedAgent(local)).id);
    expect((await runIn(local, localRun.id)).status).toBe('COMPLETED');
    await sleep(1_000);
    expect((await readRun(at(serving, tenant), run.id)).status).toBe('PENDING');
  });
});
