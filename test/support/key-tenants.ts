import { v7 as uuidv7 } from 'uuid';
import { expect } from 'vitest';
import type { KmsKey } from '../../src/encryption/index.js';
import { UserEntity } from '../../src/auth/index.js';
import { sealedColumns } from '../../src/encryption/sealed-columns.js';
import { Sealed } from '../../src/encryption/sealed.js';
import type { Operation, OperationData } from '../../src/operations/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { eventually } from './eventually.js';
import type { KeyProcess } from './key-process.js';
import type { TestDatabase } from './test-database.js';

const WAIT_MS = 30_000;

/** A tenant as the registry has it, with its keys. */
export async function newKeyTenant(db: TestDatabase, process: KeyProcess): Promise<TenantRef> {
  const tenant = await db.newTenant();
  await db.superuser.query(
    `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, $2, 'x', $3, $4, 'active')`,
    [tenant.id, `s${tenant.id.slice(2)}`, tenant.region, tenant.cell],
  );
  const statements = await process.keys.provision(tenant);
  await inTenant(process, tenant, async () => {
    for (const statement of statements) await process.database.query(statement);
  });
  return tenant;
}

export const inTenant = <T>(process: KeyProcess, tenant: TenantRef, work: () => Promise<T>): Promise<T> =>
  process.database.within(tenant, () => process.work.bookkeeping('a test', work));

/** Answers the id. Persons of before had no key of their own. */
export async function addUser(
  process: KeyProcess,
  tenant: TenantRef,
  email: string,
  { ofBefore = false }: { ofBefore?: boolean } = {},
): Promise<string> {
  return inTenant(process, tenant, async () => {
    const users = process.database.repository(UserEntity);
    const id = uuidv7();
    const displayName = Sealed.of(`name of ${email}`);
    const key = ofBefore ? undefined : await process.subjects.create(id);
    await users.insert(
      users.create({ id, email: Sealed.of(email), displayName, role: 'Viewer', status: 'active', epoch: 0 }),
    );
    if (key) await process.database.query(key);
    return id;
  });
}

export const rename = (process: KeyProcess, tenant: TenantRef, id: string, name: string): Promise<unknown> =>
  inTenant(process, tenant, async () => {
    const user = await process.database.repository(UserEntity).findOneByOrFail({ id });
    user.displayName = Sealed.of(name);
    return process.database.repository(UserEntity).save(user);
  });

/** The id and address of who is found by an address. */
export const found = (process: KeyProcess, tenant: TenantRef, email: string): Promise<string | undefined> =>
  process.database.within(tenant, async () => {
    const user = await process.lookup.findOne(UserEntity, 'email', email);
    return user ? `${user.id} ${user.email?.reveal() ?? ''}` : undefined;
  });

/** Rotates a tenant's keys as whoever is asked would, and waits for the end. */
export async function rotatedBy(process: KeyProcess, tenant: TenantRef, under?: KmsKey): Promise<void> {
  const id = await process.registry.bookkeeping('a test', tenant.id, (registry) =>
    process.rotate.begin(registry, tenant.id, 'asked', under),
  );
  process.runner.nudge();
  await eventually(
    async () => expect(await process.operations.byId(tenant.id, id)).toMatchObject({ status: 'done' }),
    WAIT_MS,
  );
}

/** Takes the steps of a rotation up to the last one, by hand; answers what follows. */
export async function stepsTaken(
  process: KeyProcess,
  tenant: TenantRef,
  last: string,
  from?: Operation,
): Promise<Operation> {
  let [step, data]: [string, OperationData] = from
    ? [from.step, from.data]
    : ['version', { kek: uuidv7(), index: uuidv7() }];
  for (;;) {
    const operation = { tenant: tenant.id, step, data } as unknown as Operation;
    const result = await process.steps[step]?.(operation, new AbortController().signal);
    if (result === undefined) throw new Error(`There is no step ${step}.`);
    if (result === 'done') return operation;
    data = result.data ?? data;
    if (!('next' in result)) continue;
    if (step === last) return { ...operation, step: result.next, data };
    step = result.next;
  }
}

export interface Census {
  readonly states: string[];
  readonly sealedBy: Map<string, number>;
}

/** How many stored values of a tenant hang on each of its field keys, by themselves or by a person's, and in which state the keys are. */
export async function census(db: TestDatabase, { id }: TenantRef): Promise<Census> {
  const { rows: keys } = await db.superuser.query<{ purpose: string; state: string }>(
    `SELECT purpose, state FROM "${id}".encryption_keys ORDER BY purpose, id`,
  );
  const sealedBy = new Map<string, number>();
  for (const { schema, table, column } of sealedColumns()) {
    if (schema) continue;
    const { rows } = await db.superuser.query<{ kek: string; n: number }>(
      `SELECT COALESCE(replace(s.wrapped_by::text, '-', ''), v.kek) AS kek, count(*)::int AS n
       FROM (SELECT encode(substring(${column} from 3 for 16), 'hex') AS kek FROM "${id}".${table}
         WHERE ${column} IS NOT NULL) v LEFT JOIN "${id}".subject_keys s ON s.id = v.kek::uuid GROUP BY 1`,
    );
    for (const { kek, n } of rows) sealedBy.set(kek, (sealedBy.get(kek) ?? 0) + n);
  }
  return { states: keys.map(({ purpose, state }) => `${purpose} ${state}`), sealedBy };
}
