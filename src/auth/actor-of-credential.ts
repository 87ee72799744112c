import { Injectable } from '@nestjs/common';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import type { Actor } from '../platform/http/request-context.js';
import { ACCESS_OF_CLIENT, ACCESS_OF_USER, accessOf, type AccessRow } from './access-of-principal.js';
import type { Role } from './identity.entity.js';

interface Row extends AccessRow, Record<string, unknown> {
  readonly role: Role;
  /** Of keys and clients: `null`, where they are not limited to some. */
  readonly projects?: string[] | null;
}

/** What acts without a session, as it would act now: for questions about it, never for requests. In the organisation in scope. */
@Injectable()
export class ActorOfCredential {
  constructor(private readonly database: TenantDatabase) {}

  /** Undefined where there is none that acts for somebody who may. */
  async apiKey(id: string): Promise<Actor | undefined> {
    const [row] = await this.database.query<Row & { user_id: string; scopes: string[] }>({
      text: `SELECT k.user_id, k.scopes, k.projects, u.role, ${ACCESS_OF_USER} FROM api_keys k JOIN users u ON u.id = k.user_id
        WHERE k.id = $1 AND k.revoked_at IS NULL AND u.status = 'active'`,
      values: [id],
    });
    if (!row) return undefined;
    return { ...standing(row), type: 'api_key', id, userId: row.user_id, scopes: row.scopes };
  }

  /** With the scopes that it may ask for. One that speaks for a directory does what that does, and nothing of its own. */
  async client(id: string): Promise<Actor | undefined> {
    const [row] = await this.database.query<Row & { scopes: string[]; directory: string | null }>({
      text: `SELECT c.role, c.scopes, c.projects, d.id AS directory, ${ACCESS_OF_CLIENT}
        FROM oauth_clients c LEFT JOIN scim_directories d ON d.oauth_client_id = c.id
        WHERE c.id = $1 AND c.status = 'active'`,
      values: [id],
    });
    if (!row) return undefined;
    const { scopes, directory } = row;
    if (directory === null) return { ...standing(row), type: 'client', id, scopes };
    const { id: tenant } = currentTenant();
    return {
      type: 'directory',
      id: directory,
      clientId: id,
      tenant,
      roles: [],
      scopes,
      ...(row.projects && { projects: row.projects }),
    };
  }

  /** Support, whether its time is over or not: what it may do is its person's. */
  async support(id: string): Promise<Actor | undefined> {
    const [row] = await this.database.query<Row & { user_id: string; writes: boolean }>({
      text: `SELECT i.user_id, i.writes, u.role, ${ACCESS_OF_USER} FROM impersonations i JOIN users u ON u.id = i.user_id
        WHERE i.id = $1 AND u.status = 'active'`,
      values: [id],
    });
    if (!row) return undefined;
    const writes = row.writes && { writes: true as const };
    return { ...standing(row), type: 'support', id, userId: row.user_id, ...writes };
  }
}

function standing(row: Row): Pick<Actor, 'tenant' | 'roles' | 'access' | 'projects'> {
  const { role, projects } = row;
  return {
    tenant: currentTenant().id,
    roles: [role],
    access: accessOf(row),
    ...(projects && { projects }),
  };
}
