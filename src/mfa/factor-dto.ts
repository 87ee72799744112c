import type { Factor } from './factors.js';
import type { SecondFactorDto } from './mfa.dto.js';

/** What is told of a factor: nothing by which it could be proved. */
export function factorDto({ id, type, details, createdAt, lastUsedAt }: Factor): SecondFactorDto {
  const { name, credential } = details;
  return {
    id,
    type,
    name,
    createdAt: createdAt.toISOString(),
    ...(lastUsedAt && { lastUsedAt: lastUsedAt.toISOString() }),
    ...(credential && { aaguid: credential.aaguid, backedUp: credential.backedUp }),
  };
}
