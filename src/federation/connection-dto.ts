import { X509Certificate } from 'node:crypto';
import { isOidc, isSaml, type ConnectionEntity, type SamlConnection } from './connection.entity.js';
import type { ConnectionDto, SamlSettingsDto } from './connections.dto.js';

/** What is answered of a connection: everything but its secrets. */
export function connectionDto(connection: ConnectionEntity): ConnectionDto {
  const { id, name, type, state, mapping, roles, highestRole, provisioning, linking, domains } = connection;
  const { lastError, lastErrorAt, version, createdBy, createdAt, updatedAt } = connection;
  return {
    id,
    name,
    type,
    state,
    ...(isOidc(connection) && {
      oidc: { ...connection.settings, scopes: [...connection.settings.scopes] },
    }),
    ...(isSaml(connection) && { saml: samlDto(connection) }),
    mapping: { ...mapping },
    roles: { ...roles, rules: roles.rules.map((rule) => ({ ...rule })) },
    highestRole,
    provisioning,
    linking,
    domains: [...domains],
    ...(lastError !== null && { lastError }),
    ...(lastErrorAt && { lastErrorAt: lastErrorAt.toISOString() }),
    version,
    createdBy,
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

function samlDto({ settings }: SamlConnection): SamlSettingsDto {
  const { ownCertificate: _, certificates, ...others } = settings;
  return {
    ...others,
    certificates: certificates.map((pem) => {
      const certificate = new X509Certificate(pem);
      return {
        fingerprint: certificate.fingerprint256,
        expiresAt: certificate.validToDate.toISOString(),
      };
    }),
  };
}
