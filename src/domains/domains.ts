import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { NameServer } from '../platform/egress/index.js';
import { InvalidRequest, ServiceUnavailable } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { canonicalDomain, domainOf } from './domain-name.js';
import { DomainRegistry } from './domain-registry.js';
import { COLUMNS, findDomain, type DomainRow } from './domain-rows.js';
import type { DomainDto, DomainListDto } from './domains.dto.js';
import {
  DomainAdded,
  DomainNotProven,
  DomainNotVerified,
  DomainTaken,
  TooManyDomains,
} from './domains.errors.js';

const MOST = 50;
const UNIQUE_VIOLATION = '23505';

/** The domains of an organisation: named by its administrators, proven by the DNS, in the whole installation one organisation's. */
@Injectable()
export class Domains {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly registry: DomainRegistry,
    private readonly nameServer: NameServer,
  ) {}

  async add(actor: Actor, text: string): Promise<DomainDto> {
    const name = canonicalDomain(text);
    if (name === undefined)
      throw new InvalidRequest([{ pointer: '/name', detail: 'name must be a domain such as example.com' }]);
    return this.work.run(async () => {
      const [found] = await this.database.query<{ count: number }>({
        text: 'SELECT count(*)::int AS count FROM domains',
        values: [],
      });
      // One that is added beside this one is not counted: the limit is there for order, not for safety.
      if ((found?.count ?? 0) >= MOST) throw new TooManyDomains(MOST);
      const row = await this.#insert(actor, name);
      auditDetails({ resource: resource(row.id), changes: { domain: name } });
      return domainDto(row, undefined);
    });
  }

  async list(): Promise<DomainListDto> {
    const [rows, held] = await Promise.all([
      this.database.query<DomainRow & Record<string, unknown>>({
        text: `SELECT ${COLUMNS} FROM domains ORDER BY name LIMIT ${MOST}`,
        values: [],
      }),
      this.registry.heldBy(currentTenant().id),
    ]);
    return { items: rows.map((row) => domainDto(row, held.get(row.name))) };
  }

  /**
   * Looks at the DNS, and takes the domain for this organisation. Repeating it is no error.
   * @throws {DomainNotProven | DomainTaken}
   */
  async verify(actor: Actor, id: string): Promise<DomainDto> {
    const tenant = currentTenant().id;
    const row = await findDomain(this.database, id);
    auditDetails({ resource: resource(id), changes: { domain: row.name } });
    const holder = await this.registry.holder(row.name);
    if (holder !== undefined && holder !== tenant) throw new DomainTaken();
    await this.#requireProof(row);
    await this.registry.claim(tenant, row.name, actor.id);
    return this.work.run(async () => {
      const kept = await findDomain(this.database, id, 'FOR UPDATE');
      return domainDto(kept, (await this.registry.heldBy(tenant)).get(kept.name));
    });
  }

  /** Whether people of the domain must sign in through a connection. @throws {DomainNotVerified} */
  /** @param ready throws where somebody would be shut out; asked in the unit of work */
  setSsoRequired(
    id: string,
    ssoRequired: boolean,
    version: number | undefined,
    ready: () => Promise<void>,
  ): Promise<DomainDto> {
    return this.work.run(async () => {
      if (ssoRequired) await ready();
      const row = await findDomain(this.database, id, 'FOR UPDATE');
      if (version !== undefined && version !== row.version) throw new VersionMismatch();
      const since = (await this.registry.heldBy(currentTenant().id)).get(row.name);
      if (ssoRequired && !since) throw new DomainNotVerified();
      auditDetails({ resource: resource(id), changes: { domain: row.name, ssoRequired } });
      const [saved] = await this.database.query<DomainRow & Record<string, unknown>>({
        text: `UPDATE domains SET sso_required = $2, version = version + 1 WHERE id = $1 RETURNING ${COLUMNS}`,
        values: [id, ssoRequired],
      });
      return domainDto(saved ?? row, since);
    });
  }

  async delete(actor: Actor, id: string): Promise<void> {
    const { name } = await findDomain(this.database, id);
    // First, as what it says counts: a row that is left behind is a domain that is not verified.
    await this.registry.release(currentTenant().id, name, actor.id);
    await this.work.run(async () => {
      auditDetails({ resource: resource(id), changes: { domain: name } });
      await this.database.query({ text: 'DELETE FROM domains WHERE id = $1', values: [id] });
    });
  }

  /** Whether an e-mail address is of a domain that is verified for the organisation in scope. */
  async covers(email: string): Promise<boolean> {
    const name = domainOf(email);
    return name !== undefined && (await this.registry.holder(name)) === currentTenant().id;
  }

  /** As they are kept, each once. @throws {DomainNotVerified} where one is not the organisation's in scope */
  async requireVerified(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return [];
    const held = await this.registry.heldBy(currentTenant().id);
    const kept = names.map((name) => canonicalDomain(name));
    if (!kept.every((name) => name !== undefined && held.has(name))) throw new DomainNotVerified();
    return [...new Set(kept.flatMap((name) => name ?? []))].toSorted();
  }

  /** Whether any domain asks for a connection: then the last one that works must stay. */
  async anyRequired(): Promise<boolean> {
    const text = 'SELECT 1 FROM domains WHERE sso_required LIMIT 1';
    return (await this.database.query({ text, values: [] })).length > 0;
  }

  async #insert(actor: Actor, name: string): Promise<DomainRow> {
    try {
      const [row] = await this.database.query<DomainRow & Record<string, unknown>>({
        text: `INSERT INTO domains (id, name, token, created_by) VALUES ($1, $2, $3, $4) RETURNING ${COLUMNS}`,
        values: [uuidv7(), name, randomBytes(24).toString('base64url'), actor.id],
      });
      if (!row) throw new Error('The domain was not inserted.');
      return row;
    } catch (error) {
      if ((error as { code?: string }).code === UNIQUE_VIOLATION) throw new DomainAdded();
      throw error;
    }
  }

  async #requireProof(row: DomainRow): Promise<void> {
    const { host, value } = recordOf(row);
    const texts = await this.nameServer.texts(host).catch((cause: unknown) => {
      throw new ServiceUnavailable('The DNS did not answer. Repeat the request in a moment.', { cause });
    });
    if (!texts.includes(value)) throw new DomainNotProven(host);
  }
}

function recordOf({ name, token }: DomainRow): { type: 'TXT'; host: string; value: string } {
  return { type: 'TXT', host: `_waxell-challenge.${name}`, value: `waxell-domain-verification=${token}` };
}

function domainDto(row: DomainRow, verifiedAt: Date | undefined): DomainDto {
  return {
    id: row.id,
    name: row.name,
    state: verifiedAt ? 'verified' : 'pending',
    ...(verifiedAt && { verifiedAt: verifiedAt.toISOString() }),
    ssoRequired: row.sso_required,
    record: recordOf(row),
    version: row.version,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
  };
}

function resource(id: string): { type: string; id: string } {
  return { type: 'domain', id };
}
