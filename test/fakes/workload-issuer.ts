import { SignJWT } from 'jose';
import { startFakeServer, type FakeServer } from './http-server.js';
import { newSigningKey, type SigningKey } from './ssf-transmitter.js';

/** Whom its tokens are of where nothing else is said. */
export const WORKLOAD = 'system:serviceaccount:provisioning:sync';

interface TokenChanges {
  /** `undefined` leaves a claim out. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: SigningKey;
}

/** The platform of a workload, such as a cluster or Entra ID: it publishes what it is, with its keys, and signs tokens. */
export class WorkloadIssuer {
  readonly url: string;
  /** Those that are published; the last one signs. */
  keys: SigningKey[];
  /** How often what it is, and its keys, were asked for, and anything else. */
  readonly asked = { document: 0, keys: 0, other: 0 };
  /** Whether it answers with an error. */
  down = false;
  /** Members of what it says of itself that differ. */
  published: Readonly<Record<string, unknown>> = {};
  readonly #server: FakeServer;

  private constructor(server: FakeServer, keys: SigningKey[]) {
    this.#server = server;
    this.url = `${server.url}/clusters/one`;
    this.keys = keys;
  }

  static async start(alg = 'RS256'): Promise<WorkloadIssuer> {
    const keys = [await newSigningKey(alg)];
    const made: { issuer?: WorkloadIssuer } = {};
    const server = await startFakeServer(({ url = '/' }) => {
      const value = made.issuer?.answer(url);
      const headers = { 'content-type': 'application/json' };
      return { status: value === undefined ? 503 : 200, headers, body: JSON.stringify(value ?? {}) };
    });
    made.issuer = new WorkloadIssuer(server, keys);
    return made.issuer;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  /** Everything that it was asked for. */
  get times(): number {
    return this.asked.document + this.asked.keys + this.asked.other;
  }

  /** What is published at an address; undefined: nothing. */
  answer(path: string): unknown {
    const found = (
      { '/clusters/one/.well-known/openid-configuration': 'document', '/keys': 'keys' } as const
    )[path];
    this.asked[found ?? 'other'] += 1;
    if (this.down || found === undefined) return undefined;
    if (found === 'keys') return { keys: this.keys.map(({ jwk }) => jwk) };
    return { issuer: this.url, jwks_uri: `${this.#server.url}/keys`, ...this.published };
  }

  /** A token of the workload, for the audience, but for what is given. */
  token(audience: string, { claims = {}, header = {}, key }: TokenChanges = {}): Promise<string> {
    const signing = key ?? this.keys.at(-1);
    if (!signing) throw new Error('The issuer has no key.');
    const now = Math.floor(Date.now() / 1_000);
    const honest = { iss: this.url, sub: WORKLOAD, aud: audience, iat: now, nbf: now, exp: now + 3_600 };
    const kept = Object.entries({ ...honest, ...claims }).filter(([, value]) => value !== undefined);
    return new SignJWT(Object.fromEntries(kept))
      .setProtectedHeader({ alg: signing.alg, kid: signing.kid, ...header })
      .sign(signing.privateKey);
  }
}
