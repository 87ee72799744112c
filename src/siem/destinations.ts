import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Sealed } from '../encryption/index.js';
import { ReceiversConfig } from '../platform/config/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { newWebhookSecret } from '../platform/egress/index.js';
import { givenFields } from '../platform/http/fields.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, type PageQuery } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { Deliveries } from './deliveries.js';
import { destinationDto } from './destination-dto.js';
import { checkedSettings } from './destination-settings.js';
import { DestinationEntity, type Credentials } from './destination.entity.js';
import type {
  CreatedDestinationDto,
  CreateDestinationDto,
  DeadLetterPageDto,
  DestinationDto,
  DestinationListDto,
  UpdateDestinationDto,
} from './destinations.dto.js';
import { DestinationNotOffered, SecretNotOurs, TooManyDestinations } from './destinations.errors.js';

/** Few: each is sent the whole log. */
const MOST = 10;
/** A secret that was replaced signs on for so long, beside the new one. */
const OVERLAP_MS = 24 * 3_600_000;

/** Where an organisation's log is delivered to, as its administrators set it. */
@Injectable()
export class Destinations {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly deliveries: Deliveries,
    private readonly config: ReceiversConfig,
  ) {}

  async create(actor: Actor, body: CreateDestinationDto): Promise<CreatedDestinationDto> {
    const { name, kind, from, credential } = body;
    if (kind === 'stdout' && !this.config.stdout) throw new DestinationNotOffered();
    const settings = checkedSettings(kind, body, undefined, this.config.plainHttp);
    const secret = kind === 'webhook' ? newWebhookSecret() : undefined;
    const current = secret ?? credential;
    const created = await this.work.run(async () => {
      const repository = this.database.repository(DestinationEntity);
      // One that is being created beside this one is not counted: the limit is there for order, not for safety.
      if ((await repository.count()) >= MOST) throw new TooManyDestinations(MOST);
      const destination = repository.create({
        id: uuidv7(),
        name,
        kind,
        settings,
        credentials: current === undefined ? null : Sealed.of<Credentials>({ current }),
        paused: false,
        createdBy: actor.id,
      });
      auditDetails({
        resource: resource(destination.id),
        changes: { name, kind, url: hostOf(settings.url) },
      });
      await repository.insert(destination);
      await this.#deliverTo(destination.id, from === 'first');
      return { ...destinationDto(destination, undefined), ...(secret !== undefined && { secret }) };
    });
    return created;
  }

  async list(): Promise<DestinationListDto> {
    const [all, states] = await Promise.all([
      this.database.repository(DestinationEntity).find({ order: { id: 'ASC' } }),
      this.deliveries.states(currentTenant()),
    ]);
    return { items: all.map((one) => destinationDto(one, states.get(one.id))) };
  }

  async get(id: string): Promise<DestinationDto> {
    return this.#dto(await this.find(id));
  }

  /** @throws {ResourceNotFound} */
  async find(id: string): Promise<DestinationEntity> {
    const found = await this.database.repository(DestinationEntity).findOneBy({ id });
    if (!found) throw new ResourceNotFound('destination');
    auditDetails({ resource: resource(id) });
    return found;
  }

  update(id: string, body: UpdateDestinationDto, version: number | undefined): Promise<DestinationDto> {
    return this.#change(id, version, (destination) => {
      destination.settings = checkedSettings(
        destination.kind,
        body,
        destination.settings,
        this.config.plainHttp,
      );
      destination.name = body.name ?? destination.name;
      if (body.credential !== undefined) destination.credentials = Sealed.of({ current: body.credential });
      auditDetails({ changes: { fields: givenFields(body), url: hostOf(destination.settings.url) } });
    });
  }

  pause(id: string, paused: boolean): Promise<DestinationDto> {
    return this.#change(id, undefined, (destination) => {
      destination.paused = paused;
    });
  }

  /** Makes a new secret; the former one signs as well for a day. */
  async rotateSecret(id: string): Promise<CreatedDestinationDto> {
    const secret = newWebhookSecret();
    const changed = await this.#change(
      id,
      undefined,
      (destination) => {
        if (destination.kind !== 'webhook') throw new SecretNotOurs();
        const before = destination.credentials?.reveal().current;
        const until = new Date(Date.now() + OVERLAP_MS).toISOString();
        destination.credentials = Sealed.of<Credentials>({
          current: secret,
          ...(before !== undefined && { previous: { secret: before, until } }),
        });
      },
      secret,
    );
    return changed;
  }

  async delete(id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const destination = await this.#locked(id, version);
      auditDetails({ resource: resource(id), changes: { name: destination.name, kind: destination.kind } });
      await this.database.repository(DestinationEntity).delete({ id });
      // What follows the log finds that it is gone, and forgets how far it had come.
      await this.#deliverTo(id, false);
    });
  }

  async deadLetters(id: string, { cursor, limit }: PageQuery): Promise<DeadLetterPageDto> {
    await this.find(id);
    const before = cursorKey(cursor, /^\d{1,15}$/);
    const rows = await this.deliveries.deadLetters(currentTenant(), id, before, limit + 1);
    return pageOf(
      rows,
      limit,
      (row) => row.seq,
      ({ seq, reason, at }) => ({ seq: Number(seq), reason, at: at.toISOString() }),
    );
  }

  #change(
    id: string,
    version: number | undefined,
    change: (destination: DestinationEntity) => void,
    secret?: string,
  ): Promise<CreatedDestinationDto> {
    return this.work.run(async () => {
      const destination = await this.#locked(id, version);
      auditDetails({ resource: resource(id) });
      change(destination);
      const saved = await this.database.repository(DestinationEntity).save(destination);
      // Whatever was wrong before may be right now: it is tried at once.
      await this.#deliverTo(id, false);
      return { ...(await this.#dto(saved)), ...(secret !== undefined && { secret }) };
    });
  }

  async #dto(destination: DestinationEntity): Promise<DestinationDto> {
    const states = await this.deliveries.states(currentTenant());
    return destinationDto(destination, states.get(destination.id));
  }

  async #locked(id: string, version: number | undefined): Promise<DestinationEntity> {
    const found = await this.database
      .repository(DestinationEntity)
      .findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!found) throw new ResourceNotFound('destination');
    if (version !== undefined && version !== found.version) throw new VersionMismatch();
    return found;
  }

  async #deliverTo(id: string, fromFirst: boolean): Promise<void> {
    await this.database.query({ text: 'SELECT audit.deliver_to($1, $2)', values: [id, fromFirst] });
  }
}

function resource(id: string): { type: string; id: string } {
  return { type: 'audit_destination', id };
}

/** An address may carry a secret in its path or query: events name the host alone. */
function hostOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).host;
}
