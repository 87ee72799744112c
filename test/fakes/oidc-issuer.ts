import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTPayload } from 'jose';
import { startFakeServer, type FakeAnswer, type FakeServer } from './http-server.js';

interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey | Uint8Array;
  readonly jwk: JWK;
}
type CryptoKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

export const CLIENT = { id: 'waxell', secret: 'the secret of the client' };
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** What a provider is asked for by way of the browser. */
export interface AuthorizationRequest {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly parameters: URLSearchParams;
}

/**
 * An OpenID Connect provider that says whatever a test wants it to: the honest one is `oidc-provider`. What is not changed
 * is right.
 */
export class OidcIssuer {
  readonly url: string;
  readonly #server: FakeServer;
  #keys: Key[];
  /** The ID token of the next code, as claims and header members that differ from the honest ones. */
  claims: JWTPayload = {};
  header: Record<string, unknown> = {};
  /** Replaces the token as it was signed. */
  forge: ((token: string) => string | Promise<string>) | undefined;
  /** Members of the discovery document that differ. */
  published: Record<string, unknown> = {};
  /** What the token endpoint answers instead: an error of RFC 6749, or a challenge with nothing else. */
  wrong: { readonly tokenError?: string; readonly challenge?: string } = {};
  userInfo: Record<string, unknown> | undefined;
  groups: { status: number; value: unknown } = { status: 200, value: [] };
  readonly asked: { path: string; body: string; authorization: string | undefined }[] = [];
  readonly #codes = new Map<string, { nonce: string; challenge: string }>();

  private constructor(server: FakeServer, keys: Key[]) {
    this.#server = server;
    this.url = server.url;
    this.#keys = keys;
  }

  static async start(): Promise<OidcIssuer> {
    const keys = [await newKey('RS256')];
    const made: { issuer?: OidcIssuer } = {};
    const server = await startFakeServer(async ({ url = '/', headers }, body) => {
      const { pathname } = new URL(url, 'http://issuer.invalid');
      const { issuer } = made;
      return issuer ? issuer.#answer(pathname, headers.authorization, body.toString()) : null;
    });
    made.issuer = new OidcIssuer(server, keys);
    return made.issuer;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  /** Signs with another key from now on; the former one is not published any more. */
  async rollOver(alg = 'RS256'): Promise<void> {
    this.#keys = [await newKey(alg)];
  }

  /** Everything as it was at the start. */
  honest(): void {
    this.claims = {};
    this.header = {};
    this.forge = undefined;
    this.published = {};
    this.wrong = {};
    this.userInfo = undefined;
    this.groups = { status: 200, value: [] };
  }

  /** What the provider would do after the person has signed in: the address that the browser is sent back to. */
  approve(authorizationUrl: string, extra: Record<string, string> = {}): string {
    const { redirectUri, state, nonce, parameters } = this.read(authorizationUrl);
    const code = randomUUID();
    this.#codes.set(code, { nonce, challenge: parameters.get('code_challenge') ?? '' });
    return `${redirectUri}?${new URLSearchParams({ code, state, iss: this.url, ...extra }).toString()}`;
  }

  read(authorizationUrl: string): AuthorizationRequest {
    const parameters = new URL(authorizationUrl).searchParams;
    const get = (name: string): string => parameters.get(name) ?? '';
    return { redirectUri: get('redirect_uri'), state: get('state'), nonce: get('nonce'), parameters };
  }

  async sign(payload: JWTPayload, header: Record<string, unknown> = {}): Promise<string> {
    const [key] = this.#keys;
    if (!key) throw new Error('The provider has no key.');
    return new SignJWT(payload)
      .setProtectedHeader({ alg: key.alg, kid: key.kid, ...header })
      .sign(key.privateKey);
  }

  /** An honest logout token, but for what is given. */
  logoutToken(
    claims: Record<string, unknown>,
    header: Record<string, unknown> = { typ: 'logout+jwt' },
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const honest = {
      iss: this.url,
      aud: CLIENT.id,
      iat: now,
      exp: now + 120,
      jti: randomUUID(),
      events: { [LOGOUT_EVENT]: {} },
    };
    const merged = Object.fromEntries(
      Object.entries({ ...honest, ...claims }).filter(([, value]) => value !== undefined),
    );
    return this.sign(merged, header);
  }

  #answer(path: string, authorization: string | undefined, body: string): FakeAnswer | Promise<FakeAnswer> {
    this.asked.push({ path, body, authorization });
    if (path === '/.well-known/openid-configuration') return json({ ...this.#document(), ...this.published });
    if (path === '/jwks') return json({ keys: this.#keys.map(({ jwk }) => jwk) });
    if (path === '/token') return this.#token(new URLSearchParams(body));
    if (path === '/userinfo') return json({ sub: this.claims.sub, ...this.userInfo });
    if (path === '/groups') return json({ value: this.groups.value }, this.groups.status);
    return json({ error: 'not_found' }, 404);
  }

  async #token(form: URLSearchParams): Promise<FakeAnswer> {
    const { tokenError, challenge } = this.wrong;
    if (tokenError !== undefined) return json({ error: tokenError, error_description: 's3cret <b>' }, 400);
    if (challenge !== undefined) return { status: 401, headers: { 'www-authenticate': challenge }, body: '' };
    const asked = this.#codes.get(form.get('code') ?? '');
    this.#codes.delete(form.get('code') ?? '');
    if (!asked) return json({ error: 'invalid_grant' }, 400);
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: this.url,
      aud: CLIENT.id,
      sub: 'subject-1',
      iat: now,
      exp: now + 300,
      nonce: asked.nonce,
      ...this.claims,
    };
    const kept = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
    const signed = await this.sign(kept, this.header);
    const idToken = this.forge ? await this.forge(signed) : signed;
    return json({ access_token: 'access', token_type: 'Bearer', expires_in: 300, id_token: idToken });
  }

  #document(): Record<string, unknown> {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      jwks_uri: `${this.url}/jwks`,
      userinfo_endpoint: `${this.url}/userinfo`,
      end_session_endpoint: `${this.url}/end`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256', 'ES256'],
      authorization_response_iss_parameter_supported: true,
    };
  }
}

async function newKey(alg: string): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = randomUUID();
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

function json(value: unknown, status = 200) {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
