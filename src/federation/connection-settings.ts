import { Injectable } from '@nestjs/common';
import { InvalidRequest } from '../platform/http/errors.js';
import { Sealed } from '../encryption/index.js';
import { ReceiversConfig } from '../platform/config/index.js';
import {
  isOidc,
  isSaml,
  type AttributeMapping,
  type ConnectionEntity,
  type ConnectionSecrets,
} from './connection.entity.js';
import type { SamlFieldsDto } from './connection-fields.dto.js';
import type { CreateConnectionDto, UpdateConnectionDto } from './connections.dto.js';
import { OIDC_MAPPING, oidcSettings } from './oidc/oidc-settings.js';
import { ProviderDocuments } from './provider-documents.js';
import { newOwnKeys } from './saml/own-keys.js';
import { SAML_MAPPING, samlSettings } from './saml/saml-settings.js';

type Parts = Pick<ConnectionEntity, 'settings' | 'secrets' | 'mapping'>;

/** What a request makes of a connection's settings; asks the provider for its metadata where it names an address. */
@Injectable()
export class ConnectionSettings {
  constructor(
    private readonly documents: ProviderDocuments,
    private readonly config: ReceiversConfig,
  ) {}

  async create(body: CreateConnectionDto): Promise<Parts> {
    this.#refuseOther(body.type, body);
    if (body.type === 'oidc') {
      const settings = oidcSettings(body.oidc ?? {}, undefined, this.config.plainHttp);
      const clientSecret = body.oidc?.clientSecret;
      return {
        settings,
        secrets: clientSecret === undefined ? null : Sealed.of<ConnectionSecrets>({ clientSecret }),
        mapping: mapping(body.mapping, OIDC_MAPPING[settings.provider]),
      };
    }
    const keys = await newOwnKeys('waxell');
    const settings = samlSettings(
      body.saml ?? {},
      undefined,
      keys.certificate,
      await this.#published(body.saml),
    );
    return {
      settings,
      secrets: Sealed.of<ConnectionSecrets>({ privateKey: keys.privateKey }),
      mapping: mapping(body.mapping, SAML_MAPPING[settings.provider]),
    };
  }

  /** Undefined where the request says nothing of settings. Before the unit of work: it may ask the provider. */
  async change(connection: ConnectionEntity, body: UpdateConnectionDto): Promise<Partial<Parts>> {
    this.#refuseOther(connection.type, body);
    const kept = body.mapping ? { mapping: { ...body.mapping } } : {};
    if (isOidc(connection) && body.oidc) {
      const settings = oidcSettings(body.oidc, connection.settings, this.config.plainHttp);
      const { clientSecret } = body.oidc;
      return {
        ...kept,
        settings,
        ...(clientSecret !== undefined && { secrets: Sealed.of<ConnectionSecrets>({ clientSecret }) }),
      };
    }
    if (isSaml(connection) && body.saml) {
      const { settings } = connection;
      const published = await this.#published(body.saml);
      return { ...kept, settings: samlSettings(body.saml, settings, settings.ownCertificate, published) };
    }
    return kept;
  }

  #refuseOther(type: string, { oidc, saml }: { oidc?: unknown; saml?: unknown }): void {
    const other = type === 'oidc' ? saml : oidc;
    if (other === undefined) return;
    const pointer = type === 'oidc' ? '/saml' : '/oidc';
    throw new InvalidRequest([
      { pointer, detail: `${pointer.slice(1)} is not for a connection of type ${type}` },
    ]);
  }

  async #published(given: SamlFieldsDto | undefined): Promise<{ published?: string; plainHttp: boolean }> {
    const { plainHttp } = this.config;
    const url = given?.metadataUrl;
    if (url === undefined || (!plainHttp && !url.startsWith('https:'))) return { plainHttp };
    return { plainHttp, published: await this.documents.text(url, 'application/samlmetadata+xml, text/xml') };
  }
}

function mapping(given: AttributeMapping | undefined, usual: AttributeMapping): AttributeMapping {
  return given ? { ...given } : { ...usual };
}
