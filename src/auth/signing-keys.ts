import { Injectable, type OnModuleInit } from '@nestjs/common';
import { createLocalJWKSet, importPKCS8, type CryptoKey, type JWK } from 'jose';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { Cells, Feed, PLATFORM_TENANT } from '../platform/database/index.js';
import { newSigningKey, signingKeyPlace, type StoredSigningKey } from './new-signing-key.js';

export const ALGORITHM = 'RS256';
sealedColumn({ schema: 'control', table: 'signing_keys', column: 'private_key', key: [['kid', 'text']] });

export const SIGNING_KEYS_LOCK = 7_283_003;
/** A key that is not known may have been made by another process: it is looked for, this often at most. */
const RELOAD_MS = 10_000;
/** The feed tells of changes; this is for whoever did not hear. */
const KEEP_MS = 5 * 60_000;
/** The same while nothing is heard. */
const KEEP_UNHEARD_MS = 300;
/** Tokens of clients live for six hours at most; a key is believed for so long after its successor has begun to sign. */
const BELIEVED_AFTER = "interval '7 hours'";

interface LoadedKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  /** Milliseconds since 1970. */
  readonly signsFrom: number;
}

interface LoadedKeys {
  /** The newest first. */
  readonly signing: readonly LoadedKey[];
  readonly jwks: { readonly keys: JWK[] };
  readonly verify: ReturnType<typeof createLocalJWKSet>;
  readonly at: number;
}

/**
 * The keys that sign access tokens: in the registry's database, the private halves encrypted. A key is published before
 * it signs, and believed until the tokens that it signed have ended.
 */
@Injectable()
export class SigningKeys implements OnModuleInit {
  #loaded: Promise<LoadedKeys> | undefined;
  #at = 0;

  constructor(
    private readonly cells: Cells,
    private readonly encryption: FieldEncryption,
    private readonly feed: Feed,
  ) {}

  onModuleInit(): void {
    this.feed.subscribe(({ kind, id }) => {
      if (kind === 'signing_keys' || id === '*') this.#loaded = undefined;
    });
  }

  /** The key that signs now. */
  async current(): Promise<Pick<LoadedKey, 'kid' | 'privateKey'>> {
    const { signing } = await this.#keys();
    const current = signing.find(({ signsFrom }) => signsFrom <= Date.now()) ?? signing.at(-1);
    if (!current) throw new Error('There is no signing key.');
    return current;
  }

  /** All public keys, for verification here and elsewhere: of those that sign, that have, and that will. */
  async jwks(): Promise<{ keys: JWK[] }> {
    return (await this.#keys()).jwks;
  }

  /** Finds the public key that a token names; reads the keys again, at most every few seconds, where it is not known. */
  async verifier(kid: string | undefined): Promise<ReturnType<typeof createLocalJWKSet>> {
    let keys = await this.#keys();
    if (!keys.jwks.keys.some((key) => key.kid === kid) && performance.now() - keys.at > RELOAD_MS) {
      this.#loaded = undefined;
      keys = await this.#keys();
    }
    return keys.verify;
  }

  #keys(): Promise<LoadedKeys> {
    const keep = this.feed.reliable() ? KEEP_MS : KEEP_UNHEARD_MS;
    if (performance.now() - this.#at > keep) this.#loaded = undefined;
    if (this.#loaded) return this.#loaded;
    this.#at = performance.now();
    const loading = this.#load();
    this.#loaded = loading;
    loading.catch(() => {
      if (this.#loaded === loading) this.#loaded = undefined;
    });
    return loading;
  }

  async #load(): Promise<LoadedKeys> {
    const at = performance.now();
    let rows = await this.#rows();
    if (rows.length === 0) {
      await this.#createFirst();
      rows = await this.#rows();
    }
    const signing = await Promise.all(rows.map((row) => this.#open(row)));
    const jwks = { keys: rows.map((row) => row.public_jwk) };
    return { signing, jwks, verify: createLocalJWKSet(jwks), at };
  }

  async #open({ kid, private_key: sealed, signs_from: from }: StoredSigningKey): Promise<LoadedKey> {
    const owner = this.cells.home.tenant(PLATFORM_TENANT);
    const pem = await this.encryption.openJson(owner, signingKeyPlace(kid), sealed);
    return { kid, privateKey: await importPKCS8(String(pem), ALGORITHM), signsFrom: from.getTime() };
  }

  /**
   * Those that are believed, the newest first: the one that signs, those whose tokens may live, and its successor. They are
   * few, as none is made before the last one signs (rotate-signing-keys.ts).
   */
  async #rows(): Promise<StoredSigningKey[]> {
    const found = await this.cells.home.control.query<StoredSigningKey>(
      `SELECT kid, public_jwk, private_key, signs_from FROM control.signing_keys k
       WHERE revoked_at IS NULL AND NOT EXISTS (SELECT 1 FROM control.signing_keys s
         WHERE s.revoked_at IS NULL AND s.signs_from > k.signs_from AND s.signs_from < now() - ${BELIEVED_AFTER})
       ORDER BY signs_from DESC`,
    );
    return found.rows;
  }

  /** One process makes the first key, however many start at once. */
  async #createFirst(): Promise<void> {
    const client = await this.cells.home.control.connect();
    let failed = false;
    try {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock($1)', [SIGNING_KEYS_LOCK]);
      const existing = await client.query(
        'SELECT 1 FROM control.signing_keys WHERE revoked_at IS NULL LIMIT 1',
      );
      if (existing.rows.length === 0) {
        const key = await newSigningKey(this.encryption, this.cells.home.tenant(PLATFORM_TENANT));
        await client.query(
          'INSERT INTO control.signing_keys (kid, public_jwk, private_key) VALUES ($1, $2, $3)',
          [key.kid, key.public_jwk, key.private_key],
        );
      }
      await client.query('COMMIT');
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      // Closed rather than given back in the middle of a transaction.
      client.release(failed);
    }
  }
}
