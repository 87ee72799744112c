import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Sealed } from '../encryption/index.js';
import { ReceiversConfig } from '../platform/config/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { Mailer, newWebhookSecret } from '../platform/egress/index.js';
import { givenFields } from '../platform/http/fields.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { AlertEntity } from './alert.entity.js';
import { ChannelNotOffered, TooManyChannels } from './alerts.errors.js';
import { ChannelEntity } from './channel.entity.js';
import { checkedRecipient } from './channel-recipient.js';
import type {
  ChannelDto,
  ChannelListDto,
  ChannelTestDto,
  CreateChannelDto,
  CreatedChannelDto,
  UpdateChannelDto,
} from './channels.dto.js';
import { SendNotification } from './send-notification.js';

const MOST = 10;

/** Who is told of the alerts of the organisation in scope, as its administrators set it. */
@Injectable()
export class Channels {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly config: ReceiversConfig,
    private readonly mailer: Mailer,
    private readonly send: SendNotification,
  ) {}

  async create(actor: Actor, body: CreateChannelDto): Promise<CreatedChannelDto> {
    const { name, kind, minimumSeverity = 'P4' } = body;
    if (kind === 'email' && !this.mailer.available) throw new ChannelNotOffered();
    const secret = kind === 'webhook' ? newWebhookSecret() : undefined;
    const recipient = {
      ...checkedRecipient(kind, body, undefined, this.config.plainHttp),
      ...(secret !== undefined && { secret }),
    };
    return this.work.run(async () => {
      const channels = this.database.repository(ChannelEntity);
      // One that is being created beside this one is not counted: the limit is there for order, not for safety.
      if ((await channels.count()) >= MOST) throw new TooManyChannels(MOST);
      const channel = channels.create({
        id: uuidv7(),
        name,
        kind,
        minimumSeverity,
        recipient: Sealed.of(recipient),
        enabled: true,
        createdBy: actor.id,
      });
      auditDetails({ resource: resource(channel.id), changes: { name, kind, minimumSeverity } });
      await channels.insert(channel);
      return { ...channelDto(channel), ...(secret !== undefined && { secret }) };
    });
  }

  async list(): Promise<ChannelListDto> {
    const all = await this.database.repository(ChannelEntity).find({ order: { id: 'ASC' } });
    return { items: all.map((channel) => channelDto(channel)) };
  }

  update(id: string, body: UpdateChannelDto, version: number | undefined): Promise<ChannelDto> {
    return this.work.run(async () => {
      const channel = await this.#locked(id, version);
      const before = channel.recipient.reveal();
      const recipient = checkedRecipient(channel.kind, body, before, this.config.plainHttp);
      channel.recipient = Sealed.of(recipient);
      channel.name = body.name ?? channel.name;
      channel.minimumSeverity = body.minimumSeverity ?? channel.minimumSeverity;
      channel.enabled = body.enabled ?? channel.enabled;
      auditDetails({ resource: resource(id), changes: { fields: givenFields(body) } });
      return channelDto(await this.database.repository(ChannelEntity).save(channel));
    });
  }

  async delete(id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const { name, kind } = await this.#locked(id, version);
      auditDetails({ resource: resource(id), changes: { name, kind } });
      await this.database.repository(ChannelEntity).delete({ id });
    });
  }

  /** Tells it of an alert that there is not, and that is over. */
  async test(id: string): Promise<ChannelTestDto> {
    const channel = await this.database.repository(ChannelEntity).findOneBy({ id });
    if (!channel) throw new ResourceNotFound('alert channel');
    const alert = this.database.repository(AlertEntity).create(testAlert());
    const word = { id: uuidv7(), tenant: currentTenant().id, kind: 'opened', alert } as const;
    const sent = await this.send.execute(channel, word);
    // PagerDuty would leave it open.
    if (sent.taken && channel.kind === 'pagerduty')
      await this.send.execute(channel, { ...word, id: uuidv7(), kind: 'resolved' });
    auditDetails({ resource: resource(id), changes: { delivered: sent.taken } });
    return { delivered: sent.taken, ...(!sent.taken && { error: sent.error }) };
  }

  async #locked(id: string, version: number | undefined): Promise<ChannelEntity> {
    const found = await this.database
      .repository(ChannelEntity)
      .findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
    if (!found) throw new ResourceNotFound('alert channel');
    if (version !== undefined && version !== found.version) throw new VersionMismatch();
    return found;
  }
}

function testAlert(): Partial<AlertEntity> {
  const now = new Date();
  return {
    id: uuidv7(),
    rule: 'test',
    key: 'test',
    severity: 'P4',
    status: 'open',
    title: 'A test of this channel; nothing has happened',
    details: {},
    subject: null,
    occurrences: 1,
    firstSeq: '0',
    lastSeq: '0',
    openedAt: now,
    acknowledgeBy: now,
    escalateAt: null,
    escalations: 0,
    acknowledgedAt: null,
    acknowledgedBy: null,
    resolvedAt: null,
    resolvedBy: null,
    version: 1,
  };
}

function resource(id: string): { type: string; id: string } {
  return { type: 'alert_channel', id };
}

function channelDto(channel: ChannelEntity): ChannelDto {
  const { id, name, kind, minimumSeverity, recipient, enabled, version, createdBy, createdAt, updatedAt } =
    channel;
  const { url, to } = recipient.reveal();
  return {
    id,
    name,
    kind,
    minimumSeverity,
    ...(url !== undefined && { url }),
    ...(to && { to: [...to] }),
    enabled,
    version,
    createdBy,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
