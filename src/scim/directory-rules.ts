import { isAbove, type ProvidedProfile, type UserEntity } from '../auth/index.js';
import type { DirectoryRow } from './directory-row.js';
import { ScimError } from './protocol/scim.errors.js';

/**
 * Whoever sets a directory could otherwise become, by the address that it gives, somebody who may more than they do.
 * @throws {ScimError}
 */
export function requireKept(directory: DirectoryRow, user: UserEntity, profile: ProvidedProfile): void {
  if (!isAbove(user.role, directory.highest_role) || user.email?.reveal() === profile.email) return;
  throw new ScimError(
    'mutability',
    `The person is ${user.role} here, which is more than whoever has set the directory: the e-mail address stays. An Owner may set the directory.`,
  );
}
