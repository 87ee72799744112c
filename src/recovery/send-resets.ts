import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { FieldEncryption } from '../encryption/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import { RegionConfig } from '../platform/config/index.js';
import { Cells, PLATFORM_TENANT, TenantDatabase, tenantId, type Cell } from '../platform/database/index.js';
import { Mailer } from '../platform/egress/index.js';
import { Log } from '../platform/observability/log.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';
import { MakeResetLink, type ResetLink } from './make-reset-link.js';
import { requestPlace, type ResetRequest } from './reset-request.js';

interface Waiting {
  readonly id: string;
  readonly tenant: string;
  readonly request: Buffer;
  readonly attempts: number;
  /** Since it was asked for. */
  readonly seconds: number;
}

const POLL_MS = 1_000;
const PER_ROUND = 20;
const AT_ONCE = 4;
/** Whoever takes a request has so long; then another process does. Longer than a mail server is waited for. */
const LEASE_SECONDS = 60;
/** Who has waited longer has asked again. */
const GIVEN_UP_SECONDS = 1_800;

/** Sends the links that were asked for. A request is taken away once it was dealt with, so a crash sends one twice, not none. */
@Injectable()
export class SendResets implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #rounds = new RepeatedWork(
    () => this.round(),
    POLL_MS,
    (error) => this.log.error('links for new passwords could not be sent; it is repeated', error),
  );

  constructor(
    private readonly cells: Cells,
    private readonly tenants: TenantRegistry,
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly links: MakeResetLink,
    private readonly mailer: Mailer,
    private readonly regions: RegionConfig,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#rounds.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#rounds.stop();
  }

  /** Deals with what is due, in every cell that this process serves. */
  async round(): Promise<void> {
    for (const cell of this.cells.all().filter(({ region }) => this.regions.serves(region))) {
      const next = (await take(cell)).values();
      const worker = async (): Promise<void> => {
        for (const waiting of next) await this.#deal(cell, waiting);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    }
  }

  async #deal(cell: Cell, waiting: Waiting): Promise<void> {
    try {
      if (await this.#answered(cell, waiting))
        await cell.control.query('DELETE FROM work.password_resets WHERE id = $1', [waiting.id]);
    } catch (error) {
      this.log.error('a link for a new password could not be sent; it is repeated', error, {
        tenant: waiting.tenant,
      });
    }
  }

  /** Whether nothing is left to be done. */
  async #answered(cell: Cell, waiting: Waiting): Promise<boolean> {
    if (waiting.seconds > GIVEN_UP_SECONDS || waiting.tenant === PLATFORM_TENANT) return true;
    const tenant = await this.tenants.byId(tenantId(waiting.tenant));
    if (tenant?.status !== 'active' || tenant.cell !== cell.name || !this.mailer.available) return true;
    return this.database.within(tenant, async () => {
      const opened = await this.encryption.openJson(tenant, requestPlace(waiting.id), waiting.request);
      const link = await this.links.execute((opened as ResetRequest).email);
      return link === undefined || this.#sent(tenant, waiting.id, link);
    });
  }

  async #sent(tenant: Tenant, id: string, link: ResetLink): Promise<boolean> {
    try {
      await this.mailer.send({
        to: [link.email],
        subject: `Set a new password for ${tenant.name}`,
        text: mailText(tenant, link.url),
        messageId: `<${id}@recovery.waxell>`,
      });
      return true;
    } catch (error) {
      const { responseCode } = error as { responseCode?: unknown };
      const why = typeof responseCode === 'number' ? `SMTP ${responseCode}` : 'unreachable';
      this.log.warn(`A link for a new password was not taken by the mail server: ${why}.`);
      await this.links.undo(link);
      return false;
    }
  }
}

async function take(cell: Cell): Promise<Waiting[]> {
  const { rows } = await cell.control.query<Waiting>(
    `UPDATE work.password_resets SET attempts = attempts + 1,
       due_at = now() + make_interval(secs => ${LEASE_SECONDS} * (attempts + 1))
     WHERE id IN (SELECT id FROM work.password_resets WHERE due_at <= now()
       ORDER BY due_at LIMIT ${PER_ROUND} FOR UPDATE SKIP LOCKED)
     RETURNING id, tenant, request, attempts, extract(epoch FROM now() - created_at)::integer AS seconds`,
  );
  return rows;
}

function mailText({ name, slug }: Tenant, url: string): string {
  const lines = [
    `Somebody, probably you, has asked for a new password for ${name} (${slug}).`,
    '',
    'Within 30 minutes, set it here:',
    url,
    '',
    'The link works once. Setting a new password signs you out everywhere.',
    'If it was not you, do nothing: your password stays as it is.',
  ];
  return `${lines.join('\n')}\n`;
}
