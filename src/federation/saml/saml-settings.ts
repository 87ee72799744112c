import { InvalidRequest } from '../../platform/http/errors.js';
import type { AttributeMapping, Provider, SamlSettings } from '../connection.entity.js';
import type { SamlFieldsDto } from '../connection-fields.dto.js';
import { readMetadata, signingCertificate, type IdpMetadata } from './idp-metadata.js';

const CLAIMS = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims';

export const SAML_MAPPING: Readonly<Record<Provider, AttributeMapping>> = {
  okta: { email: 'email', name: 'name', groups: 'groups' },
  entra: {
    email: `${CLAIMS}/emailaddress`,
    name: `${CLAIMS}/name`,
    groups: 'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups',
  },
  google: { email: 'email', name: 'name', groups: 'groups' },
  generic: { email: 'email', name: 'name', groups: 'groups' },
};

/**
 * The settings that a request leads to, given those that hold. `published` is the text behind a metadata URL.
 * @throws {InvalidRequest} naming each wrong field, {MetadataInvalid}
 */
export function samlSettings(
  given: SamlFieldsDto,
  before: SamlSettings | undefined,
  ownCertificate: string,
  { published, plainHttp }: { published?: string; plainHttp: boolean },
): SamlSettings {
  const provider = providerOf(given, before, published);
  const wrong = [
    ...(provider.entityId === undefined ? [fault('entityId', 'is required without metadata')] : []),
    ...(provider.signOnUrl === undefined ? [fault('signOnUrl', 'is required without metadata')] : []),
    ...(provider.certificates === undefined ? [fault('certificates', 'are required without metadata')] : []),
    ...[provider.signOnUrl, provider.logoutUrl, given.metadataUrl].flatMap((url) =>
      isSafeAddress(url, plainHttp)
        ? []
        : [fault('signOnUrl', 'and the other addresses must begin with https://')],
    ),
  ];
  const { entityId, signOnUrl, logoutUrl, certificates } = provider;
  if (wrong.length > 0 || entityId === undefined || signOnUrl === undefined || !certificates)
    throw new InvalidRequest(wrong);
  // Whoever gives the parts by hand does not want them replaced from elsewhere.
  const byHand = given.certificates ?? given.metadataXml ?? given.entityId ?? given.signOnUrl;
  const metadataUrl = given.metadataUrl ?? (byHand === undefined ? before?.metadataUrl : undefined);
  return {
    provider: given.provider ?? before?.provider ?? 'generic',
    entityId,
    signOnUrl,
    certificates,
    ...(logoutUrl !== undefined && { logoutUrl }),
    ...(metadataUrl !== undefined && { metadataUrl }),
    idpInitiated: given.idpInitiated ?? before?.idpInitiated ?? false,
    secondFactor: given.secondFactor ?? before?.secondFactor ?? 'claimed',
    ownCertificate,
  };
}

/** Where browsers are sent, and where metadata is read. */
export function isSafeAddress(url: string | undefined, plainHttp: boolean): boolean {
  return url === undefined || url.startsWith('https:') || (plainHttp && url.startsWith('http:'));
}

function providerOf(
  given: SamlFieldsDto,
  before: SamlSettings | undefined,
  published: string | undefined,
): Partial<IdpMetadata> {
  const xml = published ?? given.metadataXml;
  if (xml !== undefined) return readMetadata(xml);
  return {
    entityId: given.entityId ?? before?.entityId,
    signOnUrl: given.signOnUrl ?? before?.signOnUrl,
    logoutUrl: given.logoutUrl ?? before?.logoutUrl,
    certificates: given.certificates?.map(signingCertificate) ?? before?.certificates,
  };
}

function fault(field: string, detail: string): { pointer: string; detail: string } {
  return { pointer: `/saml/${field}`, detail: `${field} ${detail}` };
}
