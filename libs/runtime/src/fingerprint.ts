import { createHash } from 'node:crypto';

/**
 * JSON with sorted keys, so that equal values give equal bytes. Numbers and strings as in RFC 8785, because
 * `JSON.stringify` writes them the way ECMAScript does, which is what that RFC prescribes.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** SHA-256, in hex, of the canonical form: tells whether a replayed run asks for the same call again. */
export function fingerprint(call: unknown): string {
  return createHash('sha256').update(canonicalJson(call)).digest('hex');
}
