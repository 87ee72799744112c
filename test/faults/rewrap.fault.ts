import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApplication, type Application } from '../support/application.js';
import { client, must } from '../support/client.js';
import { asSuperuser, type Region } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

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

/** Every page of a rewrap takes a while, so that kills meet it. */
function slowDown(id: string): Promise<unknown> {
  return asSuperuser(app.home, REGION, async (database) => {
    await database.query(
      `CREATE FUNCTION "${id}".slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$`,
    );
    for (const table of ['users', 'idempotency_keys'])
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
      `SELECT DISTINCT encode(substring(value from 3 for 16), 'hex') AS kek FROM (
         SELECT email AS value FROM "${id}".users UNION ALL SELECT display_name FROM "${id}".users
         UNION ALL SELECT response FROM "${id}".idempotency_keys) v WHERE value IS NOT NULL`,
    );
    return { keys: keys.rows.map(({ key }) => key), sealedBy: sealed.rows.map(({ kek }) => kek) };
  });
}

it('a rewrap whose process is killed again and again goes on, and nothing is lost or unreadable', async () => {
  const answers = await storeAnswers(tenant, ANSWERS);
  const others = await storeAnswers(neighbour, 20);
  const [before, apart] = [await keysOf(tenant.id), await keysOf(neighbour.id)];
  await slowDown(tenant.id);
  await beginRotation(tenant.id);
  let met = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    // The rotation begins within a second, and its rewrap five seconds later.
    await sleep(kill === 0 ? 6_500 : 500 + Math.random() * 3_000);
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
