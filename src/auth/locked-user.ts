import { isLastBreakGlassOwner } from '../domains/index.js';
import type { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { LastBreakGlassOwner, LastOwner, UserErased } from './auth.errors.js';
import { UserEntity } from './identity.entity.js';

/** A person, locked until the end of the transaction, and whether the organisation can do without them. */
export interface LockedUser {
  readonly user: UserEntity;
  /** There is no other active owner. */
  readonly soleOwner: boolean;
  /** No other owner gets in while the identity provider is away, and passwords are refused. */
  readonly soleBreakGlass: boolean;
}

/**
 * Locks a person. Owners are locked together, so that two demotions at once cannot leave none.
 * @throws {ResourceNotFound | UserErased}
 */
export async function lockedUser(database: TenantDatabase, id: string): Promise<LockedUser> {
  const owners = await lockOwners(database);
  const user = await database
    .repository(UserEntity)
    .findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
  if (!user) throw new ResourceNotFound('user');
  if (user.status === 'erased') throw new UserErased();
  const isOwner = owners.includes(id);
  return {
    user,
    soleOwner: isOwner && owners.length === 1,
    soleBreakGlass: isOwner && (await isLastBreakGlassOwner(database, id)),
  };
}

/** Active owners, until the end of the transaction. @returns their ids */
export async function lockOwners(database: TenantDatabase): Promise<readonly string[]> {
  const owners = await database.repository(UserEntity).find({
    where: { role: 'Owner', status: 'active' },
    select: { id: true },
    order: { id: 'ASC' },
    lock: { mode: 'pessimistic_write' },
  });
  return owners.map(({ id }) => id);
}

/** Before somebody stops being an owner who can sign in. @throws {LastOwner | LastBreakGlassOwner} */
export function requireDispensable({ soleOwner, soleBreakGlass }: LockedUser): void {
  if (soleOwner) throw new LastOwner();
  if (soleBreakGlass) throw new LastBreakGlassOwner();
}
