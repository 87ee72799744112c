import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { refuseAbove, roleOf } from '../auth/index.js';
import { AuthConfig } from '../platform/config/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { givenFields } from '../platform/http/fields.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type {
  CreateDirectoryDto,
  DirectoryDto,
  DirectoryListDto,
  UpdateDirectoryDto,
} from './directories.dto.js';
import { DirectoryActive, TooManyDirectories } from './directories.errors.js';
import { DirectoryClients } from './directory-clients.js';
import { DIRECTORY_COLUMNS, type DirectoryRow, type Mapping } from './directory-row.js';
import { requireMapping } from './profile-of.js';
import { ScimError } from './protocol/scim.errors.js';
import { baseUrl } from './user-rows.js';

const MOST = 20;

/** The directories of an organisation, as its administrators set them. */
@Injectable()
export class Directories {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly clients: DirectoryClients,
    private readonly config: AuthConfig,
  ) {}

  create(actor: Actor, body: CreateDirectoryDto): Promise<DirectoryDto> {
    const { name, kind, defaultRole = 'Viewer', conflicts = 'adopt' } = body;
    refuseAbove(actor, defaultRole);
    const mapping = readMapping(body.mapping ?? {});
    return this.work.run(async () => {
      const [counted] = await this.database.query<{ count: number }>({
        text: 'SELECT count(*)::int AS count FROM scim_directories',
        values: [],
      });
      // One that is created beside this one is not counted: the limit is there for order, not for safety.
      if ((counted?.count ?? 0) >= MOST) throw new TooManyDirectories(MOST);
      const id = uuidv7();
      const oauthClient = body.oauthClientId ?? null;
      auditDetails({
        resource: resource(id),
        changes: { kind, defaultRole, conflicts, ...(oauthClient && { oauthClient }) },
      });
      if (oauthClient) await this.clients.require(actor, oauthClient, { id, defaultRole });
      const rows = await this.database.query<DirectoryRow>({
        text: `INSERT INTO scim_directories (id, name, kind, state, default_role, highest_role, conflicts, mapping, oauth_client_id, created_by)
          VALUES ($1, $2, $3, 'active', $4, $5, $6, $7, $8, $9) RETURNING ${DIRECTORY_COLUMNS}`,
        values: [id, name, kind, defaultRole, roleOf(actor), conflicts, mapping, oauthClient, actor.id],
      });
      await this.clients.announce([oauthClient]);
      return this.#dto(one(rows));
    });
  }

  async list(): Promise<DirectoryListDto> {
    const rows = await this.database.query<DirectoryRow>({
      text: `SELECT ${DIRECTORY_COLUMNS} FROM scim_directories ORDER BY id LIMIT ${MOST * 2}`,
      values: [],
    });
    return { items: rows.map((row) => this.#dto(row)) };
  }

  async get(id: string): Promise<DirectoryDto> {
    const row = await this.find(id);
    auditDetails({ resource: resource(id) });
    return this.#dto(row);
  }

  /** @throws {ResourceNotFound} */
  async find(id: string): Promise<DirectoryRow> {
    return one(
      await this.database.query<DirectoryRow>({
        name: 'scim_directory',
        text: `SELECT ${DIRECTORY_COLUMNS} FROM scim_directories WHERE id = $1`,
        values: [id],
      }),
    );
  }

  /** As whoever speaks for it may act: where that is a client, within the client's role as well. */
  async acting(id: string, clientId: string | undefined): Promise<DirectoryRow> {
    const row = await this.find(id);
    return clientId === undefined ? row : this.clients.within(row, clientId);
  }

  update(
    actor: Actor,
    id: string,
    body: UpdateDirectoryDto,
    version: number | undefined,
  ): Promise<DirectoryDto> {
    if (body.defaultRole) refuseAbove(actor, body.defaultRole);
    const mapping = body.mapping && readMapping(body.mapping);
    return this.work.run(async () => {
      const before = await this.#locked(id, version);
      const { name, state, defaultRole = before.default_role, conflicts } = body;
      const oauthClient = body.oauthClientId === undefined ? before.oauth_client_id : body.oauthClientId;
      // Whoever sets how people come answers for who comes; a name says nothing of that.
      const sets = givenFields(body).some((field) => field !== 'name' && field !== 'state');
      auditDetails({
        resource: resource(id),
        changes: {
          fields: givenFields(body),
          ...(state && { state }),
          ...(body.oauthClientId !== undefined && { oauthClient }),
        },
      });
      if (oauthClient && sets) await this.clients.require(actor, oauthClient, { id, defaultRole });
      const rows = await this.database.query<DirectoryRow>({
        text: `UPDATE scim_directories SET name = $2, state = $3, default_role = $4, highest_role = $5, conflicts = $6,
            mapping = $7, oauth_client_id = $8, version = version + 1, updated_at = now() WHERE id = $1 RETURNING ${DIRECTORY_COLUMNS}`,
        values: [
          id,
          name ?? before.name,
          state ?? before.state,
          defaultRole,
          sets ? roleOf(actor) : before.highest_role,
          conflicts ?? before.conflicts,
          mapping ?? before.mapping,
          oauthClient,
        ],
      });
      if (state === 'disabled') await this.#announce(id);
      if (oauthClient !== before.oauth_client_id)
        await this.clients.announce([before.oauth_client_id, oauthClient]);
      return this.#dto(one(rows));
    });
  }

  /** Only once it is disabled. Its people and groups stay, and are looked after by hand. */
  async delete(id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const { name, state, oauth_client_id: oauthClient } = await this.#locked(id, version);
      if (state !== 'disabled') throw new DirectoryActive();
      auditDetails({ resource: resource(id), changes: { name } });
      for (const text of [
        `UPDATE groups SET directory = NULL, external_id = NULL, version = version + 1, updated_at = now() WHERE directory = $1`,
        'DELETE FROM scim_users WHERE directory_id = $1',
        'DELETE FROM scim_directories WHERE id = $1',
      ])
        await this.database.query({ text, values: [id] });
      await this.#announce(id);
      await this.clients.announce([oauthClient]);
    });
  }

  async #locked(id: string, version: number | undefined): Promise<DirectoryRow> {
    const row = one(
      await this.database.query<DirectoryRow>({
        text: `SELECT ${DIRECTORY_COLUMNS} FROM scim_directories WHERE id = $1 FOR UPDATE`,
        values: [id],
      }),
    );
    if (version !== undefined && version !== row.version) throw new VersionMismatch();
    return row;
  }

  async #announce(id: string): Promise<void> {
    await this.database.query(announce({ kind: 'directory', tenant: currentTenant().id, id }));
  }

  #dto(row: DirectoryRow): DirectoryDto {
    return {
      id: row.id,
      name: row.name,
      kind: row.kind,
      state: row.state,
      defaultRole: row.default_role,
      highestRole: row.highest_role,
      conflicts: row.conflicts,
      mapping: { ...row.mapping },
      ...(row.oauth_client_id !== null && { oauthClientId: row.oauth_client_id }),
      baseUrl: baseUrl(this.config),
      version: row.version,
      createdBy: row.created_by,
      createdAt: row.created_at.toISOString(),
      updatedAt: row.updated_at.toISOString(),
    };
  }
}

function one([row]: readonly DirectoryRow[]): DirectoryRow {
  if (!row) throw new ResourceNotFound('directory');
  return row;
}

/** Without what was left out. @throws {InvalidRequest} */
function readMapping(given: Mapping): Mapping {
  const said = Object.entries(given).filter(([, path]) => path !== undefined);
  const mapping = Object.fromEntries(said) as Mapping;
  try {
    requireMapping(mapping);
    return mapping;
  } catch (error) {
    if (error instanceof ScimError)
      throw new InvalidRequest([{ pointer: '/mapping', detail: error.message }]);
    throw error;
  }
}

function resource(id: string): { type: string; id: string } {
  return { type: 'scim_directory', id };
}
