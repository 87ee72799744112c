import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApplication, type Application } from '../support/application.js';
import { client, must } from '../support/client.js';
import { asSuperuser, type Region } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const REGION: Region = 'us-east-1';
const ANSWERS = 1_200;
/** How often the process is killed; each kill costs a start. */
const KILLS = Number(process.env['WAXELL_REWRAP_KILLS'] ?? 1);

let app: Application;
let tenant: TestTenant;
let neighbour: TestTenant;

beforeAll(async () => {
  app = await startApplication();
  [tenant, neighbour] = [await createTenant(app), await createTenant(app)];
});
afterAll(() => app.dispose());

/** Answers that are stored sealed, by their Idempotency-Key. */
async function storeAnswers(owner: TestTenant, count: number): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  for (let at = 0; at < count; at += 50)
    await Promise.all(
      Array.from({ length: Math.min(50, count - at) }, async (_, offset) => {
        const key = `key-${at + offset}`;
        answers.set(key, (await answer(owner, key)).id);
      }),
    );
  return answers;
}

function answer(owner: TestTenant, key: string): Promise<{ id: string }> {
  const api = client(app.baseUrl, owner.apiKey, { 'idempotency-key': key });
  return must(api.post<{ id: string }>('/v1/projects', { name: key }), 201);
}

/** As a rotation that is due, with the ids of its keys. */
function beginRotation(id: string): Promise<unknown> {
  const data = { reason: 'due', kek: uuidv7(), index: uuidv7() };
  return asSuperuser(app.home, REGION, (database) =>
    database.query(
      `INSERT INTO control.operations (id, kind, tenant, step, data) VALUES ($1, 'keys.rotation', $2, 'version', $3)`,
      [uuidv7(), id, data],
    ),
  );
}

/** Every change of these tables takes a while, so that kills meet it. */
function slowDown(id: string, tables: readonly string[], seconds: number): Promise<unknown> {
  return asSuperuser(app.home, REGION, async (database) => {
    await database.query(
      `CREATE FUNCTION "${id}".slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(${seconds}); RETURN NULL; END $$`,
    );
    for (const table of tables)
      await database.query(
        `CREATE TRIGGER slow BEFORE UPDATE ON "${id}".${table} FOR EACH STATEMENT EXECUTE FUNCTION "${id}".slow()`,
      );
  });
}

interface Keys {
  readonly keys: string[];
  readonly sealedBy: string[];
}

function keysOf(id: string): Promise<Keys> {
  return asSuperuser(app.home, REGION, async (database) => {
    const keys = await database.query<{ key: string }>(
      `SELECT purpose || ' ' || state AS key FROM "${id}".encryption_keys ORDER BY purpose, id`,
    );
    const sealed = await database.query<{ kek: string }>(
      `SELECT DISTINCT COALESCE(replace(s.wrapped_by::text, '-', ''), v.kek) AS kek FROM (
         SELECT encode(substring(value from 3 for 16), 'hex') AS kek FROM (
           SELECT email AS value FROM "${id}".users UNION ALL SELECT display_name FROM "${id}".users
           UNION ALL SELECT response FROM "${id}".idempotency_keys) u WHERE value IS NOT NULL) v
         LEFT JOIN "${id}".subject_keys s ON s.id = v.kek::uuid`,
    );
    return { keys: keys.rows.map(({ key }) => key), sealedBy: sealed.rows.map(({ kek }) => kek) };
  });
}

/** Fails until some values are under the new key, and others are not. */
async function rewrapping(id: string): Promise<void> {
  const { rows } = await asSuperuser(app.home, REGION, (database) =>
    database.query<{ step: string; some: boolean }>(
      `SELECT step, COALESCE((data ->> 'values')::int, 0) > 0 AS some FROM control.operations
       WHERE tenant = $1 AND kind = 'keys.rotation' AND status = 'running'`,
      [id],
    ),
  );
  expect(rows).toEqual([{ step: 'rewrap', some: true }]);
}

interface Standing {
  readonly status: string;
  readonly named: boolean;
  readonly found: boolean;
  readonly keys: string;
  readonly sessions: number;
}

/** What is left of a person, in the tables; of somebody erased nothing, of anybody else all. */
function standing(id: string, person: string): Promise<Standing | undefined> {
  return asSuperuser(app.home, REGION, async (database) => {
    const { rows } = await database.query<Standing>(
      `SELECT status, email IS NOT NULL AS named, email_index IS NOT NULL OR email_index_alt IS NOT NULL AS found,
         (SELECT string_agg(DISTINCT state, ' ') FROM "${id}".subject_keys WHERE person = u.id) AS keys,
         (SELECT count(*)::int FROM "${id}".sessions WHERE user_id = u.id AND revoked_at IS NULL) AS sessions
       FROM "${id}".users u WHERE id = $1`,
      [person],
    );
    return rows[0];
  });
}

it('an erasure whose process is killed in the middle has erased nothing; repeated, it erases all', async () => {
  const people = await createTenant(app);
  const [ann, ben] = [await createPerson(people.api, 'Developer'), await createPerson(people.api, 'Viewer')];
  await signIn(app, people.slug, ann);
  const owner = client(app.baseUrl, (await signIn(app, people.slug, people.owner)).accessToken);
  await must(owner.post('/v1/auth/step-up', { password: people.owner.password }), 200);
  const whole = { status: 'active', named: true, found: true, keys: 'current', sessions: 1 };
  expect(await standing(people.id, ann.id)).toEqual(whole);
  // The keys are destroyed by then, and the person's row is what comes next.
  await slowDown(people.id, ['users'], 3);
  const answer = owner.post(`/v1/users/${ann.id}/erasure`).catch(() => undefined);
  await eventually(async () => {
    const waiting = await asSuperuser(app.home, REGION, (database) =>
      database.query(`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'`),
    );
    expect(waiting.rowCount).toBe(1);
  }, 10_000);
  await app.kill9();
  expect(await answer).toBeUndefined();
  await app.start();
  expect(await standing(people.id, ann.id)).toEqual(whole);
  await signIn(app, people.slug, ann);
  await must(owner.post(`/v1/users/${ann.id}/erasure`), 200);
  const gone = { status: 'erased', named: false, found: false, keys: 'destroyed', sessions: 0 };
  expect(await standing(people.id, ann.id)).toEqual(gone);
  expect(await standing(people.id, ben.id)).toMatchObject({ ...whole, sessions: 0 });
  await verified(people.api);
  const told = await people.api.all<{ action: string; outcome: string }>('/v1/audit/events');
  expect(
    told.filter(({ action, outcome }) => action === 'user.erased' && outcome === 'success'),
  ).toHaveLength(1);
});

it('a rewrap whose process is killed again and again goes on, and nothing is lost or unreadable', async () => {
  const answers = await storeAnswers(tenant, ANSWERS);
  const others = await storeAnswers(neighbour, 20);
  const [before, apart] = [await keysOf(tenant.id), await keysOf(neighbour.id)];
  await slowDown(tenant.id, ['users', 'idempotency_keys'], 0.3);
  await beginRotation(tenant.id);
  let met = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    if (kill === 0) await eventually(() => rewrapping(tenant.id), 30_000);
    else await sleep(500 + Math.random() * 3_000);
    await app.kill9();
    await app.start();
    if ((await keysOf(tenant.id)).keys[0] !== 'field retired') met += 1;
  }
  expect(met).toBeGreaterThan(0);
  await eventually(async () => expect((await keysOf(tenant.id)).keys[0]).toBe('field retired'), 60_000);
  const after = await keysOf(tenant.id);
  expect(after.keys).toEqual(['field retired', 'field current', 'index retired', 'index current']);
  expect(after.sealedBy).toHaveLength(1);
  expect(after.sealedBy).not.toEqual(before.sealedBy);
  expect(await keysOf(neighbour.id)).toEqual(apart);
  for (const [owner, stored] of [
    [tenant, answers],
    [neighbour, others],
  ] as const) {
    for (const [key, id] of stored) expect((await answer(owner, key)).id).toBe(id);
    await signIn(app, owner.slug, owner.owner);
    await verified(owner.api);
  }
  const told = await tenant.api.all<{ action: string }>('/v1/audit/events');
  const actions = told.map(({ action }) => action).filter((action) => action.startsWith('keys.'));
  expect(actions.toSorted()).toEqual(['keys.rewrapped', 'keys.rotated']);
});
