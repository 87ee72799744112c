import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT, type JWK } from 'jose';
import { startFakeServer, type FakeServer } from './http-server.js';

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: PrivateKey;
  readonly jwk: JWK;
}

export const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
export const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
export const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';
export const AUDIENCE = 'https://waxell.example/receiver';

/** What a transmitter has answered of a delivery. */
export interface Delivered {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

/** A transmitter of the Shared Signals Framework that publishes its keys, signs what a test wants, and pushes it (RFC 8935). */
export class SsfTransmitter {
  readonly url: string;
  /** Those that are published; the last one signs. */
  keys: SigningKey[];
  /** How often its keys were asked for. */
  asked = 0;
  /** Whether its keys can be had. */
  down = false;
  readonly #server: FakeServer;

  private constructor(server: FakeServer, keys: SigningKey[]) {
    this.#server = server;
    this.url = `${server.url}/tenant-1`;
    this.keys = keys;
  }

  static async start(alg = 'RS256'): Promise<SsfTransmitter> {
    const keys = [await newSigningKey(alg)];
    const made: { transmitter?: SsfTransmitter } = {};
    const server = await startFakeServer(({ url = '/' }) => json(made.transmitter?.answer(url)));
    made.transmitter = new SsfTransmitter(server, keys);
    return made.transmitter;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  /** What is published at an address; undefined: nothing. */
  answer(path: string): unknown {
    const configuration = { issuer: this.url, jwks_uri: `${this.#server.url}/keys`, spec_version: '1_0' };
    if (path === '/.well-known/ssf-configuration/tenant-1') return configuration;
    if (path === '/.well-known/ssf-configuration/liar')
      return { ...configuration, issuer: 'https://other.example' };
    if (path !== '/keys') return undefined;
    this.asked += 1;
    return this.down ? undefined : { keys: this.keys.map(({ jwk }) => jwk) };
  }

  /** An honest security event token about somebody, but for what is given; `undefined` leaves a claim out. */
  async set(
    type: string,
    subject: unknown,
    { payload = {}, claims = {}, header = {}, key }: SetChanges = {},
  ): Promise<string> {
    const signing = key ?? this.keys.at(-1);
    if (!signing) throw new Error('The transmitter has no key.');
    const honest = {
      iss: this.url,
      aud: AUDIENCE,
      iat: Math.floor(Date.now() / 1_000),
      jti: randomUUID(),
      txn: randomUUID(),
      sub_id: subject,
      events: { [type]: { event_timestamp: Date.now(), ...payload } },
    };
    const kept = Object.entries({ ...honest, ...claims }).filter(([, value]) => value !== undefined);
    return new SignJWT(Object.fromEntries(kept))
      .setProtectedHeader({ alg: signing.alg, kid: signing.kid, typ: 'secevent+jwt', ...header })
      .sign(signing.privateKey);
  }
}

interface SetChanges {
  readonly payload?: object;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: SigningKey;
}

/** Pushes a token as RFC 8935 says. */
export async function push(
  baseUrl: string,
  token: string | undefined,
  set: string,
  type = 'application/secevent+jwt',
): Promise<Delivered> {
  const response = await fetch(`${baseUrl}/v1/shared-signals/events`, {
    method: 'POST',
    headers: {
      'content-type': type,
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: set,
  });
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
}

export async function newSigningKey(alg = 'RS256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = randomUUID();
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

function json(value: unknown) {
  const headers = { 'content-type': 'application/json' };
  return {
    status: value === undefined ? 404 : 200,
    headers,
    body: JSON.stringify(value ?? { error: 'none' }),
  };
}
