import { InvalidRequest } from '../../platform/http/errors.js';
import type { AttributeMapping, OidcSettings, Provider } from '../connection.entity.js';
import type { OidcFieldsDto } from '../connection-fields.dto.js';

const GOOGLE = 'https://accounts.google.com';
/** Issuers of Entra ID for accounts of any directory: whoever makes one could sign in. */
const ANY_DIRECTORY = /^https:\/\/login\.microsoftonline\.com\/(common|organizations|consumers)\//;

export const OIDC_MAPPING: Readonly<Record<Provider, AttributeMapping>> = {
  okta: { email: 'email', name: 'name', groups: 'groups' },
  entra: { email: 'email', name: 'name', groups: 'groups' },
  google: { email: 'email', name: 'name', groups: 'groups' },
  generic: { email: 'email', name: 'name', groups: 'groups' },
};

/** The settings that a request leads to, given those that hold. @throws {InvalidRequest} naming each wrong field */
export function oidcSettings(
  given: OidcFieldsDto,
  before: OidcSettings | undefined,
  plainHttp: boolean,
): OidcSettings {
  const issuer = given.issuer ?? before?.issuer;
  const clientId = given.clientId ?? before?.clientId;
  const hostedDomain = given.hostedDomain ?? before?.hostedDomain;
  const wrong = [
    ...(issuer === undefined ? [fault('issuer', 'is required')] : []),
    ...(clientId === undefined ? [fault('clientId', 'is required')] : []),
    ...(issuer?.startsWith('http:') && !plainHttp ? [fault('issuer', 'must begin with https://')] : []),
    ...(issuer !== undefined && /[?#]/.test(issuer) ? [fault('issuer', 'must have no ? and no #')] : []),
    ...(issuer !== undefined && ANY_DIRECTORY.test(issuer)
      ? [fault('issuer', "must be that of your directory, with the directory's id")]
      : []),
    ...(issuer === GOOGLE && hostedDomain === undefined
      ? [fault('hostedDomain', 'is required for Google: everybody else has an account there too')]
      : []),
  ];
  if (wrong.length > 0 || issuer === undefined || clientId === undefined) throw new InvalidRequest(wrong);
  const entraTenantId = given.entraTenantId ?? before?.entraTenantId;
  return {
    provider: given.provider ?? before?.provider ?? 'generic',
    issuer,
    clientId,
    scopes: [...new Set(given.scopes ?? before?.scopes ?? ['email', 'profile'])].filter(
      (scope) => scope !== 'openid' && scope !== 'offline_access',
    ),
    ...(hostedDomain !== undefined && { hostedDomain: hostedDomain.toLowerCase() }),
    ...(entraTenantId !== undefined && { entraTenantId }),
    trustsEmail: given.trustsEmail ?? before?.trustsEmail ?? false,
    secondFactor: given.secondFactor ?? before?.secondFactor ?? 'claimed',
  };
}

function fault(field: string, detail: string): { pointer: string; detail: string } {
  return { pointer: `/oidc/${field}`, detail: `${field} ${detail}` };
}
