import { Injectable } from '@nestjs/common';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importPKCS8,
  type CryptoKey,
  type JWK,
} from 'jose';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { Cells, PLATFORM_TENANT } from '../platform/database/index.js';

export const ALGORITHM = 'RS256';
sealedColumn({ schema: 'control', table: 'signing_keys', column: 'private_key', key: [['kid', 'text']] });

const CREATION_LOCK = 7_283_003;
/** A key made by another process is found by asking again, this often at most. */
const RELOAD_MS = 10_000;

interface Row {
  kid: string;
  public_jwk: JWK;
  private_key: Buffer;
}

interface LoadedKeys {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwks: { readonly keys: JWK[] };
  readonly at: number;
}

/** The keys that sign access tokens: in the registry's database, the private halves encrypted. */
@Injectable()
export class SigningKeys {
  #loaded: Promise<LoadedKeys> | undefined;

  constructor(
    private readonly cells: Cells,
    private readonly encryption: FieldEncryption,
  ) {}

  /** The newest key: it signs. */
  async current(): Promise<{ kid: string; privateKey: CryptoKey }> {
    return this.#keys();
  }

  /** All public keys, for verification here and elsewhere. */
  async jwks(): Promise<{ keys: JWK[] }> {
    return (await this.#keys()).jwks;
  }

  /** Finds the public key that a token names; reads the keys again, at most every few seconds, where it is not known. */
  async verifier(kid: string | undefined): Promise<ReturnType<typeof createLocalJWKSet>> {
    let keys = await this.#keys();
    if (!keys.jwks.keys.some((key) => key.kid === kid) && Date.now() - keys.at > RELOAD_MS) {
      this.#loaded = undefined;
      keys = await this.#keys();
    }
    return createLocalJWKSet(keys.jwks);
  }

  #keys(): Promise<LoadedKeys> {
    this.#loaded ??= this.#load().catch((error: unknown) => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  async #load(): Promise<LoadedKeys> {
    const rows = await this.#rows();
    if (rows.length === 0) rows.push(await this.#create());
    const [newest] = rows;
    if (!newest) throw new Error('There is no signing key.');
    const pem = await this.encryption.openJson(this.#owner, place(newest.kid), newest.private_key);
    const privateKey = await importPKCS8(String(pem), ALGORITHM);
    return { kid: newest.kid, privateKey, jwks: { keys: rows.map((row) => row.public_jwk) }, at: Date.now() };
  }

  async #rows(): Promise<Row[]> {
    const found = await this.cells.home.control.query<Row>(
      'SELECT kid, public_jwk, private_key FROM control.signing_keys ORDER BY created_at DESC LIMIT 16',
    );
    return found.rows;
  }

  /** One process makes the first key, however many start at once. */
  async #create(): Promise<Row> {
    const client = await this.cells.home.control.connect();
    let failed = false;
    try {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock($1)', [CREATION_LOCK]);
      const existing = await client.query<Row>(
        'SELECT kid, public_jwk, private_key FROM control.signing_keys LIMIT 1',
      );
      const row = existing.rows[0] ?? (await this.#newKey());
      if (!existing.rows[0]) {
        await client.query(
          'INSERT INTO control.signing_keys (kid, public_jwk, private_key) VALUES ($1, $2, $3)',
          [row.kid, row.public_jwk, row.private_key],
        );
      }
      await client.query('COMMIT');
      return row;
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      // Closed rather than given back in the middle of a transaction.
      client.release(failed);
    }
  }

  async #newKey(): Promise<Row> {
    const { publicKey, privateKey } = await generateKeyPair(ALGORITHM, {
      modulusLength: 2048,
      extractable: true,
    });
    const jwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    const sealed = await this.encryption.sealJson(this.#owner, place(kid), await exportPKCS8(privateKey));
    return { kid, public_jwk: { ...jwk, kid, alg: ALGORITHM, use: 'sig' }, private_key: sealed };
  }

  get #owner() {
    return this.cells.home.tenant(PLATFORM_TENANT);
  }
}

function place(kid: string) {
  return { table: 'signing_keys', column: 'private_key', row: kid };
}
