import { publicClientId } from '../auth/index.js';
import { currentTenant } from '../platform/database/index.js';
import type { ClientEntity, ClientSecretEntity } from './client.entity.js';
import type { ClientDto } from './clients.dto.js';

/** @param secrets of whichever clients */
export function clientDto(client: ClientEntity, secrets: readonly ClientSecretEntity[]): ClientDto {
  const { id, name, role, highestRole, scopes, authentication, status } = client;
  const { accessTokenMinutes, dpopBound, version, createdBy } = client;
  return {
    id,
    clientId: publicClientId(currentTenant().id, id),
    name,
    role,
    highestRole,
    scopes,
    authentication,
    ...(client.publicKeys && { publicKeys: client.publicKeys }),
    ...(client.federation && { federation: client.federation }),
    secrets: secrets.filter((secret) => secret.clientId === id && isAlive(secret)).map(secretDto),
    status,
    accessTokenMinutes,
    dpopBound,
    ...(client.allowedNetworks && { allowedNetworks: client.allowedNetworks }),
    ...(client.projects && { projects: client.projects }),
    ...(client.expiresAt && { expiresAt: client.expiresAt.toISOString() }),
    ...(client.lastUsedAt && { lastUsedAt: client.lastUsedAt.toISOString() }),
    version,
    createdBy,
    createdAt: client.createdAt.toISOString(),
    updatedAt: client.updatedAt.toISOString(),
  };
}

/** Whether something has not expired. */
export function isAlive({ expiresAt }: { readonly expiresAt: Date | null }): boolean {
  return expiresAt === null || expiresAt.getTime() > Date.now();
}

function secretDto({ id, prefix, createdAt, expiresAt }: ClientSecretEntity): ClientDto['secrets'][number] {
  return {
    id,
    prefix,
    createdAt: createdAt.toISOString(),
    ...(expiresAt && { expiresAt: expiresAt.toISOString() }),
  };
}
