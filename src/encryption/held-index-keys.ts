import type { TenantDatabase } from '../platform/database/index.js';
import { currentTenant } from '../platform/database/index.js';
import type { KeyRing } from './key-ring.js';
import type { TenantKeys } from './tenant-keys.js';

/** A transition of index keys takes milliseconds; one after the other would have to be met as often as this. */
const TRIES = 3;

/** By transaction: a lock is kept until its end. (Until a savepoint is rolled back, where there are such: there are none.) */
const held = new WeakMap<object, TenantKeys>();

/** The index keys that the running transaction has locked, if it has: as they are, whatever other processes do. */
export function heldIndexKeys(database: TenantDatabase): TenantKeys | undefined {
  const { transaction } = database;
  return transaction && held.get(transaction);
}

/**
 * Looks up by the index keys as they are known, and has them held (`holdIndexKeys`) in the same flush, before: where they turn
 * out to be those of before, they are held as they are now, and it is looked up once more.
 */
export async function lookUpHeld<T>(
  database: TenantDatabase,
  ring: KeyRing,
  lookUp: () => Promise<T>,
): Promise<T> {
  const { transaction } = database;
  if (!transaction) throw new Error('Index keys are held until a transaction ends.');
  if (held.has(transaction)) return lookUp();
  const tenant = currentTenant();
  const keys = ring.warm(tenant.id) ?? (await ring.of(tenant));
  held.set(transaction, keys);
  try {
    const [current, found] = await Promise.all([lockedRevision(database), lookUp()]);
    if (isOf(keys, current)) return found;
  } catch (error) {
    held.delete(transaction);
    throw error;
  }
  held.delete(transaction);
  await holdIndexKeys(database, ring);
  return lookUp();
}

/**
 * The keys with which an index is written now. Their row is locked until the end of the transaction: which columns are
 * filled changes before it or after it, and a process that has not heard of a change does not write by what it knew.
 */
export async function holdIndexKeys(database: TenantDatabase, ring: KeyRing): Promise<TenantKeys> {
  const known = heldIndexKeys(database);
  if (known) return known;
  const tenant = currentTenant();
  let keys = ring.warm(tenant.id) ?? (await ring.of(tenant));
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (isOf(keys, await lockedRevision(database))) {
      const { transaction } = database;
      if (transaction) held.set(transaction, keys);
      return keys;
    }
    keys = await ring.reread(tenant);
  }
  throw new Error('The index keys of the tenant changed again and again.');
}

interface Revision {
  readonly id: string;
  readonly revision: number;
}

async function lockedRevision(database: TenantDatabase): Promise<Revision | undefined> {
  const [row] = await database.query<Revision & Record<string, unknown>>({
    name: 'index_key',
    text: `SELECT id, revision FROM encryption_keys WHERE purpose = 'index' AND state = 'current' FOR SHARE`,
    values: [],
  });
  return row;
}

function isOf({ indexRevision: { id, revision } }: TenantKeys, current: Revision | undefined): boolean {
  return current?.id === id && current.revision === revision;
}
