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
import { Federation } from './federation.js';
import { ClientHasNoSecret, TooManyClients } from './oauth.errors.js';
import { publicKeysOf } from './public-keys.js';

const MOST = 200;
const ACCESS_TOKEN_MINUTES = 60;
const OVERLAP_SECONDS = 86_400;
const AUTHENTICATION_BY = { publicKeys: 'private_key_jwt', federation: 'federated_token' } as const;
const PROOFS = ['publicKeys', 'federation'] as const;

type Proof = (typeof PROOFS)[number];
type Proofs = Partial<Pick<ClientEntity, Proof>>;

/** The clients of an organisation, as its administrators set them. */
@Injectable()
export class Clients {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly secrets: ClientSecrets,
    private readonly ceiling: OwnCeiling,
    private readonly authority: Authority,
    private readonly federation: Federation,
  ) {}

  async create(actor: Actor, body: CreateClientDto): Promise<CreatedClientDto> {
    const authentication = body.authentication ?? 'client_secret';
    requireProofOf(authentication, body);
    const { publicKeys = null, federation = null } = await this.#proofs(body);
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
        federation,
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
      auditDetails({
        resource: resource(client.id),
        changes: { name: client.name, ...(federation && { federation }), ...powersOf(client) },
      });
      await this.#requireWithin(actor, client);
      await clients.insert(client);
      if (authentication !== 'client_secret') return clientDto(client, []);
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
    const proofs = await this.#proofs(body);
    return this.work.run(async () => {
      const client = await this.#locked(id, version);
      refuseAbove(actor, client.role);
      const before = powersOf(client);
      for (const proof of PROOFS)
        if (proofs[proof] && !client[proof]) throw otherProof(proof, 'this client proves itself otherwise');
      const { publicKeys: _keys, federation: _trust, expiresAt: _end, ...fields } = body;
      Object.assign(client, defined({ ...fields, ...proofs, expiresAt }));
      // Switching off needs no more than the role: whoever sees that something is wrong can stop it.
      if (!isOnly(body, { status: 'disabled' })) {
        client.highestRole = roleOf(actor);
        await this.#requireWithin(actor, client);
      }
      // What a token was issued for is over, for good.
      if (JSON.stringify(powersOf(client)) !== JSON.stringify(before)) client.epoch += 1;
      auditDetails({
        resource: resource(id),
        changes: {
          fields: Object.keys(defined(body)),
          ...(proofs.federation && { federation: proofs.federation }),
          ...powersOf(client),
        },
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

  /** What it is to prove itself by, as it is kept. @throws {InvalidRequest} */
  async #proofs({ publicKeys, federation }: Pick<CreateClientDto, Proof>): Promise<Proofs> {
    return defined({
      publicKeys: publicKeys && (await publicKeysOf(publicKeys)),
      federation: federation && this.federation.of(federation),
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

/** What of a client's body goes with which authentication: that, and nothing else. */
function requireProofOf(
  authentication: ClientEntity['authentication'],
  body: Pick<CreateClientDto, Proof>,
): void {
  for (const proof of PROOFS)
    if ((AUTHENTICATION_BY[proof] === authentication) !== (body[proof] !== undefined))
      throw otherProof(proof, `${proof} is for ${AUTHENTICATION_BY[proof]}, which needs it`);
}

function otherProof(proof: Proof, detail: string): InvalidRequest {
  return new InvalidRequest([{ pointer: `/${proof}`, detail }]);
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
