import { crc32 } from 'node:zlib';
import { createHash, randomBytes } from 'node:crypto';
import { parseCookie } from 'cookie';
import type { Request } from 'express';
import { isTenantId, type TenantId } from '../database/tenant-id.js';

/**
 * What a request shows to say who it is. All of them but the operator's name their tenant, so that a lookup goes straight
 * to its schema; nothing here is verified yet.
 */
export type Credential =
  | { readonly kind: 'api_key'; readonly tenant: TenantId; readonly secret: string }
  | { readonly kind: 'directory'; readonly tenant: TenantId; readonly secret: string }
  | { readonly kind: 'transmitter'; readonly tenant: TenantId; readonly secret: string }
  | { readonly kind: 'jwt'; readonly tenant: TenantId; readonly token: string; readonly scheme: JwtScheme }
  | { readonly kind: 'session'; readonly tenant: TenantId; readonly secret: string }
  | { readonly kind: 'operator'; readonly secret: string }
  /** HTTP Basic, by which clients of OAuth name themselves where they ask for tokens, and nobody anywhere else. */
  | { readonly kind: 'client'; readonly id: string; readonly secret: string }
  | { readonly kind: 'malformed' };

/** `DPoP`: the token is shown with a proof that its caller has the key that it is bound to (RFC 9449). */
export type JwtScheme = 'bearer' | 'dpop';

export const SESSION_COOKIE = '__Host-waxell_session';

/** `wax_` | tenant (16 hex digits) or `operator` | `_` | 43 random characters and a CRC-32 of 6, which secret scanners check. */
const KEY = /^wax_([0-9a-f]{16}|operator)_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;
/** The same for the tokens of a directory, which provides people, and of a transmitter, which tells of them; both do nothing else. */
const DIRECTORY_TOKEN = /^wax_scim_([0-9a-f]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;
const TRANSMITTER_TOKEN = /^wax_ssf_([0-9a-f]{16})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;
const SESSION = /^([0-9a-f]{16})\.[A-Za-z0-9_-]{43}$/;
const MAX_LENGTH = 4_096;
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

export function credentialOf(request: Request): Credential | undefined {
  const header = request.headers.authorization;
  if (header !== undefined) {
    // Node keeps the first of several, a proxy in front may have looked at the last.
    if (isRepeated(request.rawHeaders, 'authorization')) return { kind: 'malformed' };
    const [, scheme = '', token = ''] = SCHEME.exec(header) ?? [];
    if (token === '' || token.length > MAX_LENGTH) return { kind: 'malformed' };
    return PARSE[scheme.toLowerCase()]?.(token) ?? { kind: 'malformed' };
  }
  const cookies = request.headers.cookie;
  const secret = cookies?.includes(SESSION_COOKIE) ? parseCookie(cookies)[SESSION_COOKIE] : undefined;
  if (secret === undefined) return undefined;
  const tenant = SESSION.exec(secret)?.[1];
  return tenant === undefined
    ? { kind: 'malformed' }
    : { kind: 'session', tenant: `t_${tenant}` as TenantId, secret };
}

function isRepeated(rawHeaders: readonly string[], name: string): boolean {
  let times = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at] ?? '';
    if (given.length === name.length && given.toLowerCase() === name) times += 1;
  }
  return times > 1;
}

const SCHEME = /^(Bearer|DPoP|Basic) ([\x21-\x7e]+)$/i;
const PARSE: Readonly<Record<string, (token: string) => Credential>> = {
  bearer,
  dpop: (token) => jwt(token, 'dpop'),
  basic,
};

/** RFC 6749 section 2.3.1: both parts are form-encoded before they are joined. */
function basic(token: string): Credential {
  const text = Buffer.from(token, 'base64').toString('latin1');
  const at = text.indexOf(':');
  try {
    const [id = '', secret = ''] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)].map((part) =>
      decodeURIComponent(part.replaceAll('+', ' ')),
    );
    return id === '' ? { kind: 'malformed' } : { kind: 'client', id, secret };
  } catch {
    return { kind: 'malformed' };
  }
}

function bearer(token: string): Credential {
  if (token.startsWith('wax_')) {
    const directory = DIRECTORY_TOKEN.exec(token);
    const transmitter = TRANSMITTER_TOKEN.exec(token);
    const [, owner, random, checksum] = directory ?? transmitter ?? KEY.exec(token) ?? [];
    if (!owner || !random || checksum !== checksumOf(random)) return { kind: 'malformed' };
    if (directory) return { kind: 'directory', tenant: `t_${owner}` as TenantId, secret: token };
    if (transmitter) return { kind: 'transmitter', tenant: `t_${owner}` as TenantId, secret: token };
    if (owner === 'operator') return { kind: 'operator', secret: token };
    return { kind: 'api_key', tenant: `t_${owner}` as TenantId, secret: token };
  }
  return jwt(token, 'bearer');
}

function jwt(token: string, scheme: JwtScheme): Credential {
  const tenant = claimedTenant(token);
  return tenant === undefined ? { kind: 'malformed' } : { kind: 'jwt', tenant, token, scheme };
}

function claimedTenant(token: string): TenantId | undefined {
  try {
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      tenant?: unknown;
    };
    return isTenantId(payload.tenant) ? payload.tenant : undefined;
  } catch {
    return undefined;
  }
}

/** A new key with 256 bits of randomness. `owner` is a tenant id, or `operator`. */
export function newKey(owner: TenantId | 'operator'): string {
  return `wax_${owner === 'operator' ? owner : owner.slice(2)}_${randomPart()}`;
}

/** A new token of a directory, of the same kind. */
export function newDirectoryToken(tenant: TenantId): string {
  return `wax_scim_${tenant.slice(2)}_${randomPart()}`;
}

/** A new token of a transmitter of security events. */
export function newTransmitterToken(tenant: TenantId): string {
  return `wax_ssf_${tenant.slice(2)}_${randomPart()}`;
}

function randomPart(): string {
  const random = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), 43);
  return `${random}${checksumOf(random)}`;
}

/** A new secret of a client of OAuth, with as much randomness, and told apart by secret scanners. */
export function newClientSecret(): string {
  const random = base62(BigInt(`0x${randomBytes(32).toString('hex')}`), 43);
  return `wxs_${random}${checksumOf(random)}`;
}

/** The part of a key that is shown after its creation. */
export function visiblePrefix(key: string): string {
  return key.slice(0, key.lastIndexOf('_') + 5);
}

export function newSessionSecret(tenant: TenantId): string {
  return `${tenant.slice(2)}.${randomBytes(32).toString('base64url')}`;
}

function checksumOf(random: string): string {
  return base62(BigInt(crc32(random)), 6);
}

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = `${BASE62[Number(rest % 62n)]}${text}`;
  return text;
}

/** All that an installation is told of its operator's key. */
export function operatorKeyHash(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
