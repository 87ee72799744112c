import type { Claims } from '../map-claims.js';

const MOST_VALUES = 2_000;

/** What an ID token or the userinfo endpoint says, each claim with its values; what is neither text nor a list of texts says nothing. */
export function claimsOf(payload: Readonly<Record<string, unknown>>): Claims {
  return Object.fromEntries(
    Object.entries(payload).flatMap(([name, value]) => {
      const values = (Array.isArray(value) ? value : [value]).slice(0, MOST_VALUES);
      const texts = values.flatMap((one: unknown) => textOf(one));
      return texts.length > 0 ? [[name, texts] as const] : [];
    }),
  );
}

/** OpenID Connect Core 1.0 section 5.1 says a boolean; some providers send its name. */
export function saysEmailVerified(payload: Readonly<Record<string, unknown>>): boolean {
  const said = payload['email_verified'];
  return said === true || said === 'true';
}

function textOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : [];
}
