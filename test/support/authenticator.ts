import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import type { AttestationMaker } from './attestation-maker.js';
import { cbor, type Cbor } from './cbor.js';

export type Algorithm = 'ES256' | 'EdDSA' | 'RS256';

/** What `navigator.credentials.create()` is given. */
export interface CreationOptions {
  readonly challenge: string;
  readonly rp: { readonly id: string };
  readonly user: { readonly id: string };
  readonly attestation?: string;
  readonly excludeCredentials?: readonly { readonly id: string }[];
}

/** What `navigator.credentials.get()` is given. */
export interface RequestOptions {
  readonly challenge: string;
  readonly rpId: string;
  readonly allowCredentials?: readonly { readonly id: string }[];
}

/** What is to be wrong. */
export interface Wrong {
  readonly origin?: string;
  readonly rpId?: string;
  readonly challenge?: string;
  readonly type?: string;
  readonly crossOrigin?: boolean;
  readonly counter?: number;
  readonly userVerified?: boolean;
  readonly userPresent?: boolean;
  readonly userHandle?: string;
  readonly signature?: Buffer;
}

export interface Made {
  readonly algorithm?: Algorithm;
  readonly aaguid?: string;
  /** Its own: signed by itself. A maker: signed by that one. */
  readonly attestation?: 'none' | 'self' | AttestationMaker;
  /** Keys that are synchronised do not count. */
  readonly counts?: boolean;
  readonly verifiesUser?: boolean;
}

interface Credential {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly userHandle: string;
}

const ALGORITHMS = { ES256: -7, EdDSA: -8, RS256: -257 } as const;
const FLAGS = { present: 1, verified: 4, attested: 64 };

/** A security key with its browser, made for tests: real CBOR and COSE, real signatures, and whatever is asked to be wrong. */
export class Authenticator {
  readonly #origin: string;
  readonly #made: Required<Made>;
  readonly #credentials: Credential[] = [];
  #counter = 0;

  constructor(origin: string, made: Made = {}) {
    this.#origin = origin;
    this.#made = {
      algorithm: 'ES256',
      aaguid: '00000000-0000-0000-0000-000000000000',
      attestation: 'none',
      counts: true,
      verifiesUser: true,
      ...made,
    };
  }

  /** Makes a credential, as `toJSON()` of the browser's answer says it. */
  async create(options: CreationOptions, wrong: Wrong = {}): Promise<object> {
    if (options.excludeCredentials?.some(({ id }) => this.#find(id))) throw new Error('InvalidStateError');
    const { publicKey, privateKey } = newKeys(this.#made.algorithm);
    const id = randomBytes(32);
    this.#credentials.push({ id: id.toString('base64url'), privateKey, userHandle: options.user.id });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(id.length);
    const attested = Buffer.concat([
      Buffer.from(this.#made.aaguid.replaceAll('-', ''), 'hex'),
      length,
      id,
      cbor(coseKey(this.#made.algorithm, publicKey)),
    ]);
    const authData = this.#authenticatorData(wrong.rpId ?? options.rp.id, wrong, attested);
    const clientData = this.#clientData('webauthn.create', options.challenge, wrong);
    const statement = await this.#statement(Buffer.concat([authData, sha256(clientData)]), privateKey, wrong);
    const attestationObject = cbor(
      new Map<string, Cbor>([
        ['fmt', statement.size === 0 ? 'none' : 'packed'],
        ['attStmt', statement],
        ['authData', authData],
      ]),
    );
    return this.#shown(id.toString('base64url'), {
      clientDataJSON: clientData.toString('base64url'),
      attestationObject: attestationObject.toString('base64url'),
      transports: ['usb', 'nfc'],
    });
  }

  /** Signs, as `toJSON()` of the browser's answer says it. */
  get(options: RequestOptions, wrong: Wrong = {}): object {
    const allowed = options.allowCredentials ?? [];
    const credential =
      allowed.length === 0 ? this.#credentials.at(-1) : allowed.map(({ id }) => this.#find(id)).find(Boolean);
    if (!credential) throw new Error('NotAllowedError');
    const authData = this.#authenticatorData(wrong.rpId ?? options.rpId, wrong);
    const clientData = this.#clientData('webauthn.get', options.challenge, wrong);
    const signed = Buffer.concat([authData, sha256(clientData)]);
    const signature = wrong.signature ?? this.#sign(signed, credential.privateKey);
    return this.#shown(credential.id, {
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: signature.toString('base64url'),
      userHandle: wrong.userHandle ?? credential.userHandle,
    });
  }

  #find(id: string): Credential | undefined {
    return this.#credentials.find((credential) => credential.id === id);
  }

  #shown(id: string, response: object): object {
    return {
      id,
      rawId: id,
      type: 'public-key',
      authenticatorAttachment: 'cross-platform',
      clientExtensionResults: { credProps: { rk: true } },
      response,
    };
  }

  #clientData(type: string, challenge: string, wrong: Wrong): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: wrong.type ?? type,
        challenge: wrong.challenge ?? challenge,
        origin: wrong.origin ?? this.#origin,
        crossOrigin: wrong.crossOrigin ?? false,
      }),
    );
  }

  #authenticatorData(rpId: string, wrong: Wrong, attested?: Buffer): Buffer {
    this.#counter = wrong.counter ?? (this.#made.counts ? this.#counter + 1 : 0);
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.#counter);
    const flags =
      ((wrong.userPresent ?? true) ? FLAGS.present : 0) |
      ((wrong.userVerified ?? this.#made.verifiesUser) ? FLAGS.verified : 0) |
      (attested ? FLAGS.attested : 0);
    return Buffer.concat([sha256(Buffer.from(rpId)), Buffer.of(flags), counter, attested ?? Buffer.alloc(0)]);
  }

  /** Packed attestation (WebAuthn Level 3 section 8.2). */
  async #statement(signed: Buffer, own: KeyObject, wrong: Wrong): Promise<Map<string, Cbor>> {
    const { attestation, aaguid, algorithm } = this.#made;
    if (attestation === 'none') return new Map();
    if (attestation === 'self')
      return new Map<string, Cbor>([
        ['alg', ALGORITHMS[algorithm]],
        ['sig', wrong.signature ?? this.#sign(signed, own)],
      ]);
    const { chain, privateKey } = await attestation.issue(aaguid);
    return new Map<string, Cbor>([
      ['alg', ALGORITHMS.ES256],
      ['sig', wrong.signature ?? sign('sha256', signed, privateKey)],
      ['x5c', chain],
    ]);
  }

  #sign(bytes: Buffer, key: KeyObject): Buffer {
    return sign(this.#made.algorithm === 'EdDSA' ? null : 'sha256', bytes, key);
  }
}

function newKeys(algorithm: Algorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (algorithm === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2_048 });
}

/** RFC 9053 section 7, RFC 8230 section 4. */
function coseKey(algorithm: Algorithm, key: KeyObject): Map<number, Cbor> {
  const jwk = key.export({ format: 'jwk' });
  const bytes = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url');
  const [KTY, ALG] = [1, 3];
  if (algorithm === 'RS256')
    return new Map<number, Cbor>([
      [KTY, 3],
      [ALG, -257],
      [-1, bytes(jwk.n)],
      [-2, bytes(jwk.e)],
    ]);
  return new Map<number, Cbor>([
    [KTY, algorithm === 'ES256' ? 2 : 1],
    [ALG, ALGORITHMS[algorithm]],
    [-1, algorithm === 'ES256' ? 1 : 6],
    [-2, bytes(jwk.x)],
    ...(algorithm === 'ES256' ? ([[-3, bytes(jwk.y)]] as const) : []),
  ]);
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
