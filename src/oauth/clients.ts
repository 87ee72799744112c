import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { Authority, OwnCeiling, refuseAbove, roleOf } from '../auth/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { clientDto } from './client-dto.js';
import { ClientSecrets } from './client-secrets.js';
import { ClientEntity } from './client.entity.js';
import type {
  ClientDto,
  CreateClientDto,
  CreatedClientDto,
  RotateSecretDto,
  UpdateClientDto,
} from './clients.dto.js';
import { ClientHasNoSecret, TooManyClients } from './oauth.errors.js';
import { publicKeysOf } from './public-keys.js';

const MOST = 200;
const ACCESS_TOKEN_MINUTES = 60;
const OVERLAP_SECONDS = 86_400;

/** The clients of an organisation, as its administrators set them. */
@Injectable()
export class Clients {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly secrets: ClientSecrets,
    private readonly ceiling: OwnCeiling,
    private readonly authority: Authority,
  ) {}

  async create(actor: Actor, body: CreateClientDto): Promise<CreatedClientDto> {
    const authentication = body.authentication ?? 'client_secret';
    const publicKeys = await keysFor(authentication, body.publicKeys);
    const [expiresAt, secretExpiresAt] = [future(body, 'expiresAt'), future(body, 'secretExpiresAt')];
    return this.work.run(async () => {
      const clients = this.database.repository(ClientEntity);
      // One that is created beside this one is not counted: the limit is there for order, not for safety.
      if ((await clients.count()) >= MOST) throw new TooManyClients(MOST);
      const inherited = await this.ceiling.defaults(actor);
      const client = clients.create({
        id: uuidv7(),
        name: body.name,
        role: body.role,
        highestRole: roleOf(actor),
        scopes: body.scopes,
        authentication,
        publicKeys,
        status: 'active',
        accessTokenMinutes: body.accessTokenMinutes ?? ACCESS_TOKEN_MINUTES,
        dpopBound: body.dpopBound ?? false,
        allowedNetworks: body.allowedNetworks ?? inherited.allowedNetworks,
        projects: body.projects ?? inherited.projects,
        expiresAt: expiresAt ?? inherited.expiresAt,
        lastUsedAt: null,
        epoch: 0,
        createdBy: actor.id,
      });
      auditDetails({ resource: resource(client.id), changes: { name: client.name, ...powersOf(client) } });
      await this.#requireWithin(actor, client);
      await clients.insert(client);
      if (publicKeys) return clientDto(client, []);
      const { secret, entity } = await this.secrets.add(client.id, secretExpiresAt ?? null);
      return { ...clientDto(client, [entity]), clientSecret: secret };
    });
  }

  async list({ cursor, limit }: PageQuery): Promise<Page<ClientDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const rows = await this.database.repository(ClientEntity).find({
      where: after ? { id: MoreThan(after) } : {},
      order: { id: 'ASC' },
      take: limit + 1,
    });
    const secrets = await this.secrets.of(rows.map(({ id }) => id));
    return pageOf(
      rows,
      limit,
      ({ id }) => id,
      (client) => clientDto(client, secrets),
    );
  }

  async get(id: string): Promise<ClientDto> {
    const client = await this.database.repository(ClientEntity).findOneBy({ id });
    if (!client) throw new ResourceNotFound('client');
    auditDetails({ resource: resource(id) });
    return clientDto(client, await this.secrets.of([id]));
  }

  async update(
    actor: Actor,
    id: string,
    body: UpdateClientDto,
    version: number | undefined,
  ): Promise<ClientDto> {
    const expiresAt = body.expiresAt === null ? null : future(body, 'expiresAt');
    const publicKeys = body.publicKeys && (await publicKeysOf(body.publicKeys));
    return this.work.run(async () => {
      const client = await this.#locked(id, version);
      refuseAbove(actor, client.role);
      const before = powersOf(client);
      if (publicKeys && !client.publicKeys)
        throw new InvalidRequest([
          { pointer: '/publicKeys', detail: 'this client proves itself by a secret' },
        ]);
      const { publicKeys: _keys, expiresAt: _end, ...fields } = body;
      Object.assign(client, defined({ ...fields, publicKeys, expiresAt }));
      // Switching off needs no more than the role: whoever sees that something is wrong can stop it.
      if (!isOnly(body, { status: 'disabled' })) {
        client.highestRole = roleOf(actor);
        await this.#requireWithin(actor, client);
      }
      // What a token was issued for is over, for good.
      if (JSON.stringify(powersOf(client)) !== JSON.stringify(before)) client.epoch += 1;
      auditDetails({
        resource: resource(id),
        changes: { fields: Object.keys(defined(body)), ...powersOf(client) },
      });
      const saved = await this.database.repository(ClientEntity).save(client);
      await this.#announce(id);
      return clientDto(saved, await this.secrets.of([id]));
    });
  }

  /** Puts another secret in the place of the newest, which goes on for a while. */
  async rotateSecret(actor: Actor, id: string, body: RotateSecretDto): Promise<CreatedClientDto> {
    const expiresAt = future(body, 'expiresAt') ?? null;
    const { overlapSeconds = OVERLAP_SECONDS } = body;
    return this.work.run(async () => {
      const client = await this.#locked(id);
      auditDetails({ resource: resource(id), changes: { overlapSeconds } });
      if (client.authentication !== 'client_secret') throw new ClientHasNoSecret();
      // Whoever knows the secret can do what the client can.
      await this.#requireWithin(actor, client);
      await this.secrets.retire(id, overlapSeconds);
      const { secret } = await this.secrets.add(id, expiresAt);
      return { ...clientDto(client, await this.secrets.of([id])), clientSecret: secret };
    });
  }

  /** Its tokens are dead at once. */
  async delete(actor: Actor, id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const client = await this.#locked(id, version);
      auditDetails({ resource: resource(id), changes: { name: client.name } });
      await this.authority.overClient(actor, client);
      await this.database.repository(ClientEntity).delete({ id });
      await this.#announce(id);
    });
  }

  /** Nobody makes a client, or a secret of one, that can do more than they can. A client's requests are counted for nobody. */
  async #requireWithin(actor: Actor, client: ClientEntity): Promise<void> {
    await this.authority.overClient(actor, client);
    await this.ceiling.require(actor, { ...client, requestsPerMinute: null });
  }

  async #locked(id: string, version?: number): Promise<ClientEntity> {
    const client = await this.database
      .repository(ClientEntity)
      .findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!client) throw new ResourceNotFound('client');
    if (version !== undefined && version !== client.version) throw new VersionMismatch();
    return client;
  }

  async #announce(id: string): Promise<void> {
    await this.database.query(announce({ kind: 'oauth_client', tenant: currentTenant().id, id }));
  }
}

async function keysFor(authentication: ClientEntity['authentication'], given: object[] | undefined) {
  if (authentication === 'private_key_jwt' && given) return publicKeysOf(given);
  if (authentication === 'client_secret' && !given) return null;
  const detail = 'publicKeys are for private_key_jwt, which needs at least one';
  throw new InvalidRequest([{ pointer: '/publicKeys', detail }]);
}

function future<Name extends string>(
  body: Partial<Record<Name, string | null>>,
  name: Name,
): Date | undefined {
  const given = body[name];
  if (given === undefined || given === null) return undefined;
  const at = new Date(given);
  if (at.getTime() > Date.now()) return at;
  throw new InvalidRequest([{ pointer: `/${name}`, detail: `${name} must lie in the future` }]);
}

/** What its tokens can do: a change ends them. */
function powersOf({ role, scopes, status, allowedNetworks, projects, dpopBound }: ClientEntity) {
  return { role, scopes, status, allowedNetworks, projects, dpopBound };
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function isOnly(body: object, only: object): boolean {
  return JSON.stringify(defined(body)) === JSON.stringify(only);
}

function resource(id: string): { type: string; id: string } {
  return { type: 'oauth_client', id };
}
