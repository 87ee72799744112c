import { type Authority, type ProvidedProfile, type UserEntity } from '../auth/index.js';
import type { DirectoryRow } from './directory-row.js';
import { ScimError } from './protocol/scim.errors.js';

/**
 * Whoever sets a directory could otherwise become, by the address that it gives, somebody who may more than they do.
 * @throws {ScimError}
 */
export async function requireKept(
  authority: Authority,
  directory: DirectoryRow,
  user: UserEntity,
  profile: ProvidedProfile,
): Promise<void> {
  if (user.email?.reveal() === profile.email) return;
  if (!(await authority.isPersonAbove(user, directory.highest_role))) return;
  throw new ScimError(
    'mutability',
    'The person holds more here, by role or by grants, than whoever has set the directory: the e-mail address stays. An Owner may set the directory.',
  );
}
