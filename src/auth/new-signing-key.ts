import { calculateJwkThumbprint, exportJWK, exportPKCS8, generateKeyPair, type JWK } from 'jose';
import type { FieldEncryption } from '../encryption/index.js';
import type { TenantRef } from '../platform/database/index.js';

/** A key as the registry has it. */
export interface StoredSigningKey {
  readonly kid: string;
  readonly public_jwk: JWK;
  readonly private_key: Buffer;
  readonly signs_from: Date;
}

/** Makes an RS256 key, whose id is its thumbprint (RFC 7638), with the private half sealed for the installation. */
export async function newSigningKey(
  encryption: FieldEncryption,
  owner: TenantRef,
): Promise<Omit<StoredSigningKey, 'signs_from'>> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', {
    modulusLength: 2048,
    extractable: true,
  });
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  const sealed = await encryption.sealJson(owner, signingKeyPlace(kid), await exportPKCS8(privateKey));
  return { kid, public_jwk: { ...jwk, kid, alg: 'RS256', use: 'sig' }, private_key: sealed };
}

export function signingKeyPlace(kid: string) {
  return { table: 'signing_keys', column: 'private_key', row: kid };
}
