import { X509Certificate } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { EventRecorder } from '../../audit/index.js';
import { currentTenant } from '../../platform/database/index.js';
import type { SamlConnection } from '../connection.entity.js';
import { RefreshMetadata } from './refresh-metadata.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Whoever sends wrong signatures must not make us ask the provider each time: once in so long for each connection. */
const RETRY_MS = 2_000;
const SOON_MS = 30 * DAY_MS;
const KEPT = 5_000;

/**
 * Keeps what a provider publishes of itself up to date, with nothing that runs for those whom nobody signs in to: it is read
 * again when a sign-in begins and an hour has gone, and at once when a signature fits none of the certificates that are
 * known. So a certificate that was replaced costs nobody a sign-in, and one that was taken away is believed for an hour.
 */
@Injectable()
export class KeepMetadata {
  readonly #asked = new LRUCache<string, number>({ max: KEPT });
  readonly #warned = new LRUCache<string, number>({ max: KEPT });
  /** Under way, and those that begin when their time has come: for each connection at most one of each. */
  readonly #running = new Map<string, Promise<SamlConnection | undefined>>();
  readonly #next = new Map<string, Promise<SamlConnection | undefined>>();

  constructor(
    private readonly refresh: RefreshMetadata,
    private readonly events: EventRecorder,
  ) {}

  /** For a sign-in that begins. A provider that does not answer leaves things as they are. */
  async current(connection: SamlConnection): Promise<SamlConnection> {
    const now = Date.now();
    const due = now - (this.#asked.get(connection.id) ?? 0) >= HOUR_MS;
    const refreshed = due ? await this.#ask(connection) : undefined;
    await this.#warn(refreshed ?? connection, now);
    return refreshed ?? connection;
  }

  /**
   * For a signature that fits no certificate; undefined where the provider publishes no other ones. However many ask at
   * once, the provider is asked once: by a request that begins after them, so that it tells of what they have met.
   */
  async otherCertificates(connection: SamlConnection): Promise<SamlConnection | undefined> {
    const { id, settings } = connection;
    // Another sign-in may have found them since this one read its connection, here or in another process.
    const saved = await this.refresh.saved(connection);
    if (saved || settings.metadataUrl === undefined) return saved;
    const begun = this.#running.get(id);
    if (begun) {
      await begun;
      const meanwhile = await this.refresh.saved(connection);
      if (meanwhile) return meanwhile;
    }
    const found = await this.#askNext(connection);
    return (await this.refresh.saved(connection)) ?? found;
  }

  #askNext(connection: SamlConnection): Promise<SamlConnection | undefined> {
    const { id } = connection;
    const waiting = this.#next.get(id);
    if (waiting) return waiting;
    const next = pause(this.#untilNext(id)).then(() => {
      this.#next.delete(id);
      return this.#ask(connection);
    });
    this.#next.set(id, next);
    return next;
  }

  #untilNext(id: string): number {
    return Math.max(0, (this.#asked.get(id) ?? 0) + RETRY_MS - Date.now());
  }

  #ask(connection: SamlConnection): Promise<SamlConnection | undefined> {
    const { id } = connection;
    this.#asked.set(id, Date.now());
    const asked = this.refresh.execute(connection).finally(() => {
      if (this.#running.get(id) === asked) this.#running.delete(id);
    });
    this.#running.set(id, asked);
    return asked;
  }

  /** Said once a day, by each process that sees it: the rule `certificate.expiry` makes one alert of it. */
  async #warn({ id, name, settings }: SamlConnection, now: number): Promise<void> {
    const until = Math.max(
      ...settings.certificates.map((pem) => new X509Certificate(pem).validToDate.getTime()),
    );
    if (until - now > SOON_MS || now - (this.#warned.get(id) ?? 0) < DAY_MS) return;
    this.#warned.set(id, now);
    await this.events.record(currentTenant(), {
      action: 'certificate.expiring',
      actor: { type: 'system', id: 'federation' },
      outcome: 'failure',
      resource: { type: 'sso_connection', id },
      changes: {
        certificate: `identity provider of ${name}`,
        expiresAt: new Date(until).toISOString(),
        expired: until < now,
      },
    });
  }
}
