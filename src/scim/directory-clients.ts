import { Injectable } from '@nestjs/common';
import { isAbove, refuseAbove, type Role } from '../auth/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { CredentialRevoked, InvalidRequest } from '../platform/http/errors.js';
import type { Actor } from '../platform/http/request-context.js';
import { ClientBelowDirectory, ClientNamedAlready } from './directories.errors.js';
import type { DirectoryRow } from './directory-row.js';

/**
 * Clients of OAuth that speak for a directory ([oauth](../oauth) has them). Whoever may set a client, or its secret, could
 * otherwise come to what whoever has set the directory may: so a client reaches no further than its own role, which
 * nobody sets above theirs.
 */
@Injectable()
export class DirectoryClients {
  constructor(private readonly database: TenantDatabase) {}

  /** @throws {InvalidRequest | GrantExceedsOwn | ClientNamedAlready | ClientBelowDirectory} */
  async require(
    actor: Actor,
    clientId: string,
    { id, defaultRole }: { id: string; defaultRole: Role },
  ): Promise<void> {
    // Locked, so that two directories that name it at once do not both find it free, and that it is there until then.
    const [locked] = await this.database.query<{ role: Role }>({
      text: 'SELECT role FROM oauth_clients WHERE id = $1 FOR UPDATE',
      values: [clientId],
    });
    const role = locked?.role;
    if (role === undefined)
      throw new InvalidRequest([
        { pointer: '/oauthClientId', detail: 'oauthClientId names no client of the organisation' },
      ]);
    refuseAbove(actor, role);
    const others = await this.database.query({
      text: 'SELECT 1 FROM scim_directories WHERE oauth_client_id = $1 AND id <> $2',
      values: [clientId, id],
    });
    if (others.length > 0) throw new ClientNamedAlready();
    if (isAbove(defaultRole, role)) throw new ClientBelowDirectory(role, defaultRole);
  }

  /** The directory as the client may act for it: its role may have been lowered since it was named. */
  async within(directory: DirectoryRow, clientId: string): Promise<DirectoryRow> {
    const role = await this.#roleOf(clientId);
    if (role === undefined) throw new CredentialRevoked();
    const { default_role: given, highest_role: highest } = directory;
    return {
      ...directory,
      default_role: role !== 'Owner' && isAbove(given, role) ? role : given,
      highest_role: isAbove(highest, role) ? role : highest,
    };
  }

  /** In every process a token of theirs is looked up anew: for whom it speaks has changed. */
  async announce(clientIds: readonly (string | null)[]): Promise<void> {
    for (const id of clientIds)
      if (id !== null)
        await this.database.query(announce({ kind: 'oauth_client', tenant: currentTenant().id, id }));
  }

  async #roleOf(clientId: string): Promise<Role | undefined> {
    const [row] = await this.database.query<{ role: Role }>({
      name: 'role_of_client',
      text: 'SELECT role FROM oauth_clients WHERE id = $1',
      values: [clientId],
    });
    return row?.role;
  }
}
