import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { RepeatedWork } from '../platform/background/index.js';
import { TenantDatabase, type TenantId, type TenantRef } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { UnitOfWork } from '../requests/index.js';

const KINDS = ['session', 'api_key', 'client', 'scim_token', 'transmitter'] as const;
type Kind = (typeof KINDS)[number];

interface Uses {
  readonly tenant: TenantRef;
  readonly at: Record<Kind, Map<string, Date>>;
}

/** What is used without a pause is noted this often. */
const NOTED_EVERY_MS = 60_000;
const FLUSH_MS = 15_000;
const REMEMBERED = 50_000;
/** What waits to be written; beyond it a use goes unnoted, and the next one is. */
const WAITING = 20_000;
const TENANTS_AT_ONCE = 4;

const NOTE: Readonly<Record<Kind, string>> = {
  session: `UPDATE sessions SET last_used_at = greatest(last_used_at, used.at)
    FROM unnest($1::uuid[], $2::timestamptz[]) AS used (id, at) WHERE sessions.id = used.id`,
  api_key: `UPDATE api_keys SET last_used_at = greatest(last_used_at, used.at)
    FROM unnest($1::uuid[], $2::timestamptz[]) AS used (id, at) WHERE api_keys.id = used.id`,
  client: `UPDATE oauth_clients SET last_used_at = greatest(last_used_at, used.at)
    FROM unnest($1::uuid[], $2::timestamptz[]) AS used (id, at) WHERE oauth_clients.id = used.id`,
  scim_token: `UPDATE scim_tokens SET last_used_at = greatest(last_used_at, used.at)
    FROM unnest($1::uuid[], $2::timestamptz[]) AS used (id, at) WHERE scim_tokens.id = used.id`,
  transmitter: `UPDATE signal_transmitters SET last_used_at = greatest(last_used_at, used.at)
    FROM unnest($1::uuid[], $2::timestamptz[]) AS used (id, at) WHERE signal_transmitters.id = used.id`,
};

/**
 * When sessions, API keys, clients, transmitters and tokens of directories were last used, to the minute: noted in memory by requests, which wait for nothing, and
 * written together for each organisation. A process that is killed loses its last minute of it.
 */
@Injectable()
export class LastUse implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #noted = new LRUCache<string, number>({ max: REMEMBERED });
  #waiting = new Map<TenantId, Uses>();
  #count = 0;
  readonly #rounds = new RepeatedWork(
    () => this.flush(),
    FLUSH_MS,
    (error) => this.log.error('when credentials were used could not be noted', error),
  );

  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#rounds.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#rounds.stop();
    await this.flush();
  }

  note(tenant: TenantRef, kind: Kind, id: string, now = Date.now()): void {
    if (now - (this.#noted.get(id) ?? 0) < NOTED_EVERY_MS || this.#count >= WAITING) return;
    this.#noted.set(id, now);
    this.#count += 1;
    const uses = this.#waiting.get(tenant.id) ?? {
      tenant,
      at: {
        session: new Map(),
        api_key: new Map(),
        client: new Map(),
        scim_token: new Map(),
        transmitter: new Map(),
      },
    };
    uses.at[kind].set(id, new Date(now));
    this.#waiting.set(tenant.id, uses);
  }

  /** Writes what waits. What cannot be written, as of an organisation that is being moved, is given up. */
  async flush(): Promise<void> {
    const next = this.#waiting.values();
    this.#waiting = new Map();
    this.#count = 0;
    const worker = async (): Promise<void> => {
      for (const uses of next)
        await this.#write(uses).catch((error: unknown) =>
          this.log.warn(`When credentials were used could not be noted: ${String(error)}`),
        );
    };
    await Promise.all(Array.from({ length: TENANTS_AT_ONCE }, worker));
  }

  #write({ tenant, at }: Uses): Promise<void> {
    return this.database.within(tenant, () =>
      this.work.bookkeeping(
        'that a credential was used is told by the event of what it was used for',
        async () => {
          for (const kind of KINDS)
            if (at[kind].size > 0)
              await this.database.query({
                text: NOTE[kind],
                values: [[...at[kind].keys()], [...at[kind].values()]],
              });
        },
      ),
    );
  }
}
