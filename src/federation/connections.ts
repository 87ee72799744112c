import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { refuseAbove, roleOf } from '../auth/index.js';
import { Domains } from '../domains/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { givenFields } from '../platform/http/fields.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { connectionDto } from './connection-dto.js';
import { ConnectionSettings } from './connection-settings.js';
import { ConnectionStore } from './connection-store.js';
import { ConnectionEntity, isOidc } from './connection.entity.js';
import type {
  ConnectionDto,
  ConnectionListDto,
  CreateConnectionDto,
  UpdateConnectionDto,
} from './connections.dto.js';
import { ConnectionNeeded, TooManyConnections } from './federation.errors.js';
import type { RoleMapping } from './mapped-role.js';
import { OidcClients } from './oidc/oidc-clients.js';

const MOST = 20;
const EVERYBODY_VIEWER: RoleMapping = { rules: [], defaultRole: 'Viewer', everySignIn: false };

/** The connections of an organisation, as its administrators set them. */
@Injectable()
export class Connections {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly store: ConnectionStore,
    private readonly settings: ConnectionSettings,
    private readonly oidc: OidcClients,
    private readonly domains: Domains,
  ) {}

  async create(actor: Actor, body: CreateConnectionDto): Promise<ConnectionDto> {
    const roles = body.roles ?? EVERYBODY_VIEWER;
    refuseRulesAbove(actor, roles);
    const parts = await this.settings.create(body);
    const domains = await this.domains.requireVerified(body.domains ?? []);
    return this.work.run(async () => {
      const repository = this.database.repository(ConnectionEntity);
      // One that is created beside this one is not counted: the limit is there for order, not for safety.
      if ((await repository.count()) >= MOST) throw new TooManyConnections(MOST);
      const connection = repository.create({
        id: uuidv7(),
        name: body.name,
        type: body.type,
        state: 'draft',
        ...parts,
        roles,
        highestRole: roleOf(actor),
        provisioning: body.provisioning ?? false,
        linking: body.linking ?? 'verified_email',
        domains,
        lastError: null,
        lastErrorAt: null,
        createdBy: actor.id,
      });
      auditDetails({
        resource: resource(connection.id),
        changes: { type: body.type, ...changesOf(connection) },
      });
      await repository.insert(connection);
      return connectionDto(connection);
    });
  }

  async list(): Promise<ConnectionListDto> {
    const all = await this.database
      .repository(ConnectionEntity)
      .find({ order: { id: 'ASC' }, take: MOST * 2 });
    return { items: all.map(connectionDto) };
  }

  async get(id: string): Promise<ConnectionDto> {
    const found = await this.store.find(id);
    auditDetails({ resource: resource(id) });
    return connectionDto(found);
  }

  async update(
    actor: Actor,
    id: string,
    body: UpdateConnectionDto,
    version: number | undefined,
  ): Promise<ConnectionDto> {
    if (body.roles) refuseRulesAbove(actor, body.roles);
    const before = await this.store.find(id);
    auditDetails({ resource: resource(id) });
    const parts = await this.settings.change(before, body);
    const domains = body.domains && (await this.domains.requireVerified(body.domains));
    const changed = Object.assign(before, parts);
    if (body.state === 'active' && isOidc(changed)) await this.oidc.requireUsable(changed);
    return this.work.run(async () => {
      const connection = await this.#locked(id, version);
      // Somebody else has changed it while the provider was asked.
      if (connection.version !== before.version) throw new VersionMismatch();
      Object.assign(connection, parts);
      connection.name = body.name ?? connection.name;
      connection.roles = body.roles ?? connection.roles;
      connection.provisioning = body.provisioning ?? connection.provisioning;
      connection.linking = body.linking ?? connection.linking;
      connection.domains = domains ?? connection.domains;
      // Whoever sets where people come from answers for who comes: an Admin cannot let Owners in.
      if (givenFields(body).some((field) => field !== 'name')) connection.highestRole = roleOf(actor);
      const ended = await this.#setState(connection, body.state);
      auditDetails({
        resource: resource(id),
        changes: {
          fields: givenFields(body),
          ...changesOf(connection),
          ...(ended > 0 && { sessionsEnded: ended }),
        },
      });
      return connectionDto(await this.database.repository(ConnectionEntity).save(connection));
    });
  }

  /** Sessions that came of it end; accounts stay, and what they were linked by goes. */
  async delete(id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const connection = await this.#locked(id, version);
      await this.#requireAnother(connection);
      const ended = await this.store.endSessions(id);
      auditDetails({ resource: resource(id), changes: { name: connection.name, sessionsEnded: ended } });
      await this.database.repository(ConnectionEntity).delete({ id });
    });
  }

  async #setState(connection: ConnectionEntity, state: 'active' | 'disabled' | undefined): Promise<number> {
    if (state === undefined || state === connection.state) return 0;
    if (state === 'disabled') await this.#requireAnother(connection);
    connection.state = state;
    return state === 'disabled' ? this.store.endSessions(connection.id) : 0;
  }

  async #requireAnother({ state }: ConnectionEntity): Promise<void> {
    if (state !== 'active' || (await this.store.countActive()) > 1) return;
    if (await this.domains.anyRequired()) throw new ConnectionNeeded();
  }

  /** All are locked, in one order: two that are switched off at once cannot leave none. */
  async #locked(id: string, version: number | undefined): Promise<ConnectionEntity> {
    const all = await this.database
      .repository(ConnectionEntity)
      .find({ order: { id: 'ASC' }, lock: { mode: 'pessimistic_write' } });
    const found = all.find((one) => one.id === id);
    if (!found) throw new ResourceNotFound('connection');
    if (version !== undefined && version !== found.version) throw new VersionMismatch();
    return found;
  }
}

/** Nobody hands out, by a rule, more than they hold. */
function refuseRulesAbove(actor: Actor, { rules, defaultRole }: RoleMapping): void {
  for (const role of [defaultRole, ...rules.map((rule) => rule.role)]) refuseAbove(actor, role);
}

function changesOf({ state, settings, provisioning, linking, highestRole }: ConnectionEntity) {
  const provider = 'issuer' in settings ? settings.issuer : settings.entityId;
  return { state, provider, provisioning, linking, highestRole };
}

function resource(id: string): { type: string; id: string } {
  return { type: 'sso_connection', id };
}
