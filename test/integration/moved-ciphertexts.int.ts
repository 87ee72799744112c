import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AgentEntity, ProjectEntity } from '../../src/agents/index.js';
import { UserEntity } from '../../src/auth/index.js';
import { Sealed } from '../../src/encryption/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { addUser, inTenant, newKeyTenant, rename, rotatedBy } from '../support/key-tenants.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

/** A sealed value in the database, and how it is read as the application reads it. */
interface Cell {
  readonly name: string;
  readonly tenant: TenantRef;
  readonly table: string;
  readonly column: string;
  readonly row: string;
  readonly value: Buffer;
  readonly read: () => Promise<unknown>;
}

const REFUSED = 'The encrypted field cannot be read.';

let db: TestDatabase;
let fake: FakeKms;
let process: KeyProcess;
let cells: Cell[];

beforeAll(async () => {
  db = await openTestDatabase();
  fake = await startFakeKms();
  process = await startKeyProcess(db.url, clientOf(fake));
  const tenants = [await newKeyTenant(db, process), await newKeyTenant(db, process)];
  const held = await newKeyTenant(db, process);
  await rotatedBy(process, held, { kmsKeyId: fake.newKey(), custody: 'customer', holds: true });
  cells = (await Promise.all([...tenants, held].map((tenant, at) => cellsOf(tenant, at)))).flat();
});
afterAll(async () => {
  await process.close();
  await fake.close();
  await db.close();
});

async function cellsOf(tenant: TenantRef, at: number): Promise<Cell[]> {
  const cells: Cell[] = [];
  const add = async (table: string, column: string, row: string, read: () => Promise<unknown>) => {
    const name = `${table}.${column} ${row} of ${at}`;
    cells.push({ name, tenant, table, column, row, value: await stored(tenant, table, column, row), read });
  };
  const within = <T>(work: () => Promise<T>): Promise<T> => process.database.within(tenant, work);
  for (const email of [`ann${at}@example.com`, `ben${at}@example.com`]) {
    const id = await addUser(process, tenant, email);
    await rename(process, tenant, id, email);
    const user = () => within(() => process.database.repository(UserEntity).findOneByOrFail({ id }));
    await add('users', 'email', id, async () => (await user()).email?.reveal());
    await add('users', 'display_name', id, async () => (await user()).displayName?.reveal());
  }
  for (const key of ['one', 'two']) {
    const id = await addAgent(tenant, key);
    const agent = () => within(() => process.database.repository(AgentEntity).findOneByOrFail({ id }));
    await add('agents', 'api_keys', id, async () => (await agent()).providerKeys?.reveal());
  }
  return cells;
}

function addAgent(tenant: TenantRef, key: string): Promise<string> {
  return inTenant(process, tenant, async () => {
    const [id, projectId] = [uuidv7(), uuidv7()];
    const named = { name: 'a', description: '', createdBy: 'x' };
    await process.database.repository(ProjectEntity).insert({ id: projectId, ...named });
    const agents = process.database.repository(AgentEntity);
    const more = { definition: {} as never, apiKeyProviders: [], providerKeys: Sealed.of({ openai: key }) };
    await agents.insert(agents.create({ id, projectId, ...named, ...more }));
    return id;
  });
}

async function stored({ id }: TenantRef, table: string, column: string, row: string): Promise<Buffer> {
  const { rows } = await db.superuser.query<{ value: Buffer }>(
    `SELECT ${column} AS value FROM "${id}".${table} WHERE id = $1`,
    [row],
  );
  return rows[0]?.value ?? Buffer.alloc(0);
}

const put = ({ tenant, table, column, row }: Cell, value: Buffer): Promise<unknown> =>
  db.superuser.query(`UPDATE "${tenant.id}".${table} SET ${column} = $2 WHERE id = $1`, [row, value]);

it('a value that whoever writes to the database puts in another’s place is refused, from any to any', async () => {
  expect(cells).toHaveLength(18);
  let moved = 0;
  for (const to of cells) {
    for (const from of cells) {
      if (from === to) continue;
      await put(to, from.value);
      await expect(to.read(), `${from.name} at ${to.name}`).rejects.toThrow(REFUSED);
      moved += 1;
    }
    await put(to, to.value);
    expect(await to.read()).toBeDefined();
  }
  expect(moved).toBe(18 * 17);
});

it('a value whose key’s id was altered in any bit is refused, whosever key it is under', async () => {
  const [ofPerson, ofTenant] = cells.filter(({ column }) => column !== 'display_name');
  const ofAgent = cells.find(({ table }) => table === 'agents');
  const held = cells.at(-1);
  for (const cell of [ofPerson, ofTenant, ofAgent, held]) {
    if (!cell) throw new Error('There is no such value.');
    for (let bit = 0; bit < 128; bit += 1) {
      const altered = Buffer.from(cell.value);
      altered[2 + (bit >> 3)] = (altered[2 + (bit >> 3)] ?? 0) ^ (1 << (bit & 7));
      await put(cell, altered);
      await expect(cell.read(), `bit ${bit} of ${cell.name}`).rejects.toThrow(REFUSED);
    }
    await put(cell, cell.value);
    expect(await cell.read()).toBeDefined();
  }
});
