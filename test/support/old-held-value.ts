import { createCipheriv, hash, randomBytes } from 'node:crypto';
import type { FieldPlace } from '../../src/encryption/field-place.js';

/** With its length before it, as each part of what is authenticated. */
function part(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/**
 * A value of the suite 0x02, of which none is made any more: version 1 | suite 1 | key's id 16 | length 2 | what the KMS has
 * wrapped | commitment 32 | nonce 12 | ciphertext | tag 16. Written from the format and from nothing of ours.
 */
export function oldHeldValue(
  keyId: Buffer,
  { plaintext: dek, wrapped }: { readonly plaintext: Buffer; readonly wrapped: Buffer },
  { tenant, table, column, row }: FieldPlace,
  value: Buffer,
): Buffer {
  const aad = Buffer.concat([Buffer.of(2), ...[tenant, table, column, row].map(part)]);
  const commitment = hash(
    'sha256',
    Buffer.concat([Buffer.from('waxell field commitment v1\0'), dek, aad]),
    'buffer',
  );
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', dek, nonce).setAAD(aad);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(wrapped.length);
  return Buffer.concat([
    Buffer.of(1, 2),
    keyId,
    length,
    wrapped,
    commitment,
    nonce,
    cipher.update(value),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}
