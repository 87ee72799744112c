import { X509Certificate } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ReceiversConfig } from '../../platform/config/index.js';
import { TenantDatabase } from '../../platform/database/index.js';
import { AppError } from '../../platform/http/errors.js';
import { Log } from '../../platform/observability/log.js';
import { UnitOfWork } from '../../requests/index.js';
import { ConnectionStore } from '../connection-store.js';
import { ConnectionEntity, isSaml, type SamlConnection, type SamlSettings } from '../connection.entity.js';
import { ProviderDocuments } from '../provider-documents.js';
import { MetadataInvalid, readMetadata, type IdpMetadata } from './idp-metadata.js';
import { isSafeAddress } from './saml-settings.js';

/** Its answer was another than the row's when it was to be saved: nothing is, and nothing has happened. */
class Outdated extends Error {}

/** Reads a provider's metadata again, and saves what is new, with its event. */
@Injectable()
export class RefreshMetadata {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly documents: ProviderDocuments,
    private readonly store: ConnectionStore,
    private readonly config: ReceiversConfig,
    private readonly log: Log,
  ) {}

  /** The connection as its row has it by now, where that names other certificates. */
  async saved({ id, settings }: SamlConnection): Promise<SamlConnection | undefined> {
    const row = await this.database.repository(ConnectionEntity).findOneBy({ id });
    if (!row || !isSaml(row) || row.settings.certificates.join() === settings.certificates.join())
      return undefined;
    return row;
  }

  /** The connection with what has changed; undefined where nothing has, or nothing usable was answered. */
  async execute(connection: SamlConnection): Promise<SamlConnection | undefined> {
    const { id, settings } = connection;
    if (settings.metadataUrl === undefined) return undefined;
    try {
      const text = await this.documents.text(settings.metadataUrl, 'application/samlmetadata+xml, text/xml');
      const found = acceptable(text, settings.entityId, this.config.plainHttp);
      await this.store.forgetMetadataError(id);
      const next: SamlSettings = { ...settings, ...found };
      if (JSON.stringify(next) === JSON.stringify(settings)) return undefined;
      return (await this.#save(connection, next))
        ? Object.assign(new ConnectionEntity(), connection, { settings: next })
        : undefined;
    } catch (error) {
      await this.#failed(id, error);
      return undefined;
    }
  }

  /** Whether it was saved: only where nobody has changed the row meanwhile. */
  async #save({ id, version, settings: before }: SamlConnection, settings: SamlSettings): Promise<boolean> {
    return this.work
      .runAs(
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
        async () => {
          const rows = await this.database.query({
            text: `UPDATE sso_connections SET settings = $2, updated_at = now()
              WHERE id = $1 AND version = $3 AND settings = $4::jsonb RETURNING id`,
            values: [id, JSON.stringify(settings), version, JSON.stringify(before)],
          });
          if (rows.length === 0) throw new Outdated();
          return true;
        },
      )
      .catch((error: unknown) => {
        if (error instanceof Outdated) return false;
        throw error;
      });
  }

  async #failed(id: string, error: unknown): Promise<void> {
    this.log.warn(`the metadata of connection ${id} could not be read again: ${String(error)}`);
    // Messages of ours say nothing that an administrator must not know; others might.
    const why = error instanceof AppError ? error.message : undefined;
    await this.store
      .rememberMetadataError(id, why)
      .catch((failure: unknown) => this.log.error('the error of a connection could not be kept', failure));
  }
}

/** What holds of settings that an administrator saves holds of these. @throws {MetadataInvalid} */
export function acceptable(xml: string, entityId: string, plainHttp: boolean): IdpMetadata {
  const found = readMetadata(xml);
  // Another provider behind the same address is for an administrator to accept.
  if (found.entityId !== entityId)
    throw new MetadataInvalid('it names another entity id than the connection');
  for (const address of [found.signOnUrl, found.logoutUrl])
    if (!isSafeAddress(address, plainHttp))
      throw new MetadataInvalid('an address in it does not begin with https://');
  return found;
}
