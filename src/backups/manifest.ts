import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { BackupUnreadable } from './sealed-stream.js';

/** What says that a backup is whole, and of what. It is written last. */
const manifest = z.strictObject({
  format: z.literal(1),
  id: z.string().regex(/^[0-9]{8}T[0-9]{6}Z-[a-z0-9-]+-[0-9a-f]{8}$/),
  cell: z.string().min(1).max(100),
  region: z.string().min(1).max(100),
  /** When its snapshot was taken. */
  createdAt: z.iso.datetime(),
  keyId: z.string().min(1).max(2_048),
  /** The key from which its keys follow, as the key service wrapped it: base64. */
  wrappedKey: z.base64().max(16_384),
  bytes: z.int().positive(),
  /** SHA-256 of the file of data, in hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  tenants: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  /** HMAC-SHA-256 of the rest, under a key of this backup. */
  mac: z.string().regex(/^[0-9a-f]{64}$/),
});

export type Manifest = Readonly<z.infer<typeof manifest>>;

/** @throws {BackupUnreadable} for anything that has not the form; who wrote it is for `requireAuthentic` to say */
export function parseManifest(text: string): Manifest {
  try {
    return manifest.parse(JSON.parse(text));
  } catch {
    throw new BackupUnreadable('its manifest has not the form of one');
  }
}

export function authenticated(content: Omit<Manifest, 'mac'>, key: KeyObject): Manifest {
  return { ...content, mac: macOf(content, key).toString('hex') };
}

/** @throws {BackupUnreadable} */
export function requireAuthentic({ mac, ...content }: Manifest, key: KeyObject): void {
  if (!timingSafeEqual(macOf(content, key), Buffer.from(mac, 'hex')))
    throw new BackupUnreadable('its manifest is not the one that was written');
}

/** Over the members in the order of their names. */
function macOf(content: Omit<Manifest, 'mac'>, key: KeyObject): Buffer {
  const members = Object.entries(content).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHmac('sha256', key).update(JSON.stringify(members)).digest();
}
