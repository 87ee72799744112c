import { decodeJwt, decodeProtectedHeader, SignJWT, type JWTPayload } from 'jose';
import { OidcIssuer } from '../fakes/oidc-issuer.js';

/** What somebody would make of a token without the key that has signed it. */
export function unsigned(token: string, header: Readonly<Record<string, unknown>> = {}): string {
  return `${b64({ alg: 'none', ...header })}.${token.split('.')[1]}.`;
}

/** The signature is left as it is. */
export function withHeader(header: Readonly<Record<string, unknown>>, token: string): string {
  return [b64(header), ...token.split('.').slice(1)].join('.');
}

export function withClaims(more: JWTPayload, token: string): string {
  const [header, , signature] = token.split('.');
  return [header, b64({ ...decodeJwt(token), ...more }), signature].join('.');
}

/** By a key of somebody else, under the name of the honest one. */
export async function resigned(token: string): Promise<string> {
  const other = await OidcIssuer.start();
  const { kid } = decodeProtectedHeader(token);
  const signed = await other.sign(decodeJwt(token), { kid });
  await other.close();
  return signed;
}

/** By a secret (HS256). */
export function signedBySecret(token: string, secret: string): Promise<string> {
  return new SignJWT(decodeJwt(token))
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret));
}

function b64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
