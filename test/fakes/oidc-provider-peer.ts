import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK } from 'jose';

/** What of `oidc-provider` is used; it has no types of its own. */
interface Provider {
  callback(): (request: unknown, response: unknown) => void;
  interactionDetails(request: unknown, response: unknown): Promise<{ params: { client_id: string } }>;
  interactionFinished(request: unknown, response: unknown, result: object): Promise<void>;
  readonly Grant: new (of: { accountId: string; clientId: string }) => {
    addOIDCScope(scope: string): void;
    save(): Promise<string>;
  };
}

export interface PeerClient {
  readonly id: string;
  readonly secret: string;
  readonly redirectUri: string;
  readonly signOutUri: string;
  readonly backChannelLogoutUri: string;
}

/** A provider of `oidc-provider` (Panva), certified by the OpenID Foundation: whoever comes is signed in as the account, and agrees. */
export interface OidcPeer {
  readonly issuer: string;
  /** Of whoever signs in next. */
  account: { readonly sub: string; readonly claims: Readonly<Record<string, unknown>> };
  /** What went wrong at the provider. */
  readonly errors: string[];
  /** Has to be told of its one client before it is used. */
  register(client: PeerClient): Promise<void>;
  /** Signs with this key from now on; what it publishes is that one, or another that it is told. */
  signWith(key: JWK, published?: JWK): Promise<void>;
  close(): Promise<void>;
}

const MODULE: string = 'oidc-provider';

/** A key to sign ID tokens with. */
export async function newPeerKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

export async function startOidcPeer(): Promise<OidcPeer> {
  let provider: Provider | undefined;
  let registered: PeerClient | undefined;
  let key = await newPeerKey();
  let otherPublished: JWK | undefined;
  const server = createServer((request, response) => {
    if (otherPublished && request.url === '/jwks') {
      const { kty, n, e, kid, use, alg } = otherPublished;
      const body = JSON.stringify({ keys: [{ kty, n, e, kid, use, alg }] });
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    }
    if (!provider) return void response.writeHead(503).end();
    if (!request.url?.startsWith('/interaction/')) return provider.callback()(request, response);
    agree(provider, peer.account.sub, request, response).catch((error: unknown) => {
      peer.errors.push(String(error));
      response.writeHead(500).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const peer: OidcPeer = {
    issuer,
    account: { sub: 'ann', claims: {} },
    errors: [],
    register: async (client) => {
      registered = client;
      provider = await newProvider(issuer, client, peer, key);
    },
    signWith: async (next, published) => {
      if (!registered) throw new Error('The provider has no client yet.');
      [key, otherPublished] = [next, published];
      provider = await newProvider(issuer, registered, peer, next);
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return peer;
}

async function newProvider(issuer: string, client: PeerClient, peer: OidcPeer, key: JWK): Promise<Provider> {
  const { default: Made } = (await import(MODULE)) as {
    default: new (
      issuer: string,
      configuration: object,
    ) => Provider & {
      on(event: string, listener: (...parameters: { message?: string }[]) => void): void;
    };
  };
  const provider = new Made(issuer, {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: [client.redirectUri],
        post_logout_redirect_uris: [client.signOutUri],
        backchannel_logout_uri: client.backChannelLogoutUri,
        backchannel_logout_session_required: true,
      },
    ],
    jwks: { keys: [key] },
    claims: {
      openid: ['sub', 'sid'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      groups: ['groups'],
    },
    // As most providers do: address and name only at the userinfo endpoint.
    conformIdTokenClaims: true,
    pkce: { required: () => true },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, ...peer.account.claims }),
    }),
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        // Without asking whether one really wants to.
        logoutSource: (context: { body: unknown }, form: string) => {
          context.body = form;
        },
      },
    },
    // It refuses to call private addresses by itself; here they are all there is.
    fetch: (input: string | URL, init?: RequestInit) => {
      const { dispatcher: _, ...rest } = (init ?? {}) as RequestInit & { dispatcher?: unknown };
      return fetch(input, rest);
    },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    cookies: { keys: ['of the tests'] },
  });
  provider.on('server_error', (_context, error) => peer.errors.push(error?.message ?? ''));
  provider.on('backchannel.error', (_context, error) => peer.errors.push(error?.message ?? ''));
  return provider;
}

/** What a person would do: sign in, and consent. */
async function agree(
  provider: Provider,
  accountId: string,
  request: unknown,
  response: unknown,
): Promise<void> {
  const { params } = await provider.interactionDetails(request, response);
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope('openid email profile groups');
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
}
