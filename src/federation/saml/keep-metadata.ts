import { X509Certificate } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { EventRecorder } from '../../audit/index.js';
import { currentTenant, TenantDatabase } from '../../platform/database/index.js';
import { Log } from '../../platform/observability/log.js';
import { UnitOfWork } from '../../requests/index.js';
import type { SamlConnection, SamlSettings } from '../connection.entity.js';
import { ProviderDocuments } from '../provider-documents.js';
import { readMetadata } from './idp-metadata.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Whoever sends wrong signatures must not make us ask the provider each time: once in so long for each connection. */
const RETRY_MS = 10_000;
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
  readonly #retried = new LRUCache<string, number>({ max: KEPT });
  readonly #warned = new LRUCache<string, number>({ max: KEPT });

  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly documents: ProviderDocuments,
    private readonly events: EventRecorder,
    private readonly log: Log,
  ) {}

  /** For a sign-in that begins. A provider that does not answer leaves things as they are. */
  async current(connection: SamlConnection): Promise<SamlConnection> {
    const now = Date.now();
    const refreshed =
      now - (this.#asked.get(connection.id) ?? 0) >= HOUR_MS ? await this.#ask(connection) : undefined;
    await this.#warn(refreshed ?? connection, now);
    return refreshed ?? connection;
  }

  /** For a signature that fits no certificate; undefined where the provider publishes no other ones. */
  async otherCertificates(connection: SamlConnection): Promise<SamlConnection | undefined> {
    const now = Date.now();
    if (now - (this.#retried.get(connection.id) ?? 0) < RETRY_MS) return undefined;
    this.#retried.set(connection.id, now);
    return this.#ask(connection);
  }

  async #ask(connection: SamlConnection): Promise<SamlConnection | undefined> {
    const { metadataUrl } = connection.settings;
    this.#asked.set(connection.id, Date.now());
    if (metadataUrl === undefined) return undefined;
    try {
      const found = readMetadata(
        await this.documents.text(metadataUrl, 'application/samlmetadata+xml, text/xml'),
      );
      const { settings } = connection;
      // Another provider behind the same address is for an administrator to accept.
      if (found.entityId !== settings.entityId) throw new Error('The metadata names another entity id.');
      const next: SamlSettings = { ...settings, ...found };
      if (JSON.stringify(next) === JSON.stringify(settings)) return undefined;
      await this.#save(connection, next);
      return Object.assign(connection, { settings: next });
    } catch (error) {
      this.log.warn(`the metadata of connection ${connection.id} could not be read again: ${String(error)}`);
      return undefined;
    }
  }

  async #save({ id, version }: SamlConnection, settings: SamlSettings): Promise<void> {
    await this.work.runAs(
      () => ({
        action: 'sso_connection.metadata_refreshed',
        actor: { type: 'system', id: 'federation' },
        outcome: 'success',
        resource: { type: 'sso_connection', id },
        changes: {
          signOnUrl: settings.signOnUrl,
          certificates: settings.certificates.map((pem) => new X509Certificate(pem).fingerprint256),
        },
      }),
      () =>
        // Only where nobody has changed it meanwhile: then it is read again in an hour.
        this.database.query({
          text: 'UPDATE sso_connections SET settings = $2, updated_at = now() WHERE id = $1 AND version = $3',
          values: [id, JSON.stringify(settings), version],
        }),
    );
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
