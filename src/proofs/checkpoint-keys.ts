import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { formatVerifier, type NoteSigner } from '@waxell/transparency';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { AuthConfig } from '../platform/config/index.js';
import { Cells, PLATFORM_TENANT, type RegistryTransaction } from '../platform/database/index.js';

sealedColumn({ schema: 'control', table: 'checkpoint_keys', column: 'private_key', key: [['id', 'text']] });

const CREATION_LOCK = 7_283_006;
/** Another process may have rotated the keys: they are read again this often. */
const KEEP_MS = 60_000;
const KEYS_SHOWN = 64;

interface Row {
  id: string;
  verifier: string;
  private_key: Buffer;
  retired_at: Date | null;
}

export interface CheckpointKey {
  /** C2SP verifier key: `name+hash+key`. */
  readonly verifier: string;
  readonly createdAt: Date;
  /** Since when it signs nothing any more; what it signed stays valid. */
  readonly retiredAt: Date | undefined;
}

/**
 * The Ed25519 keys that sign checkpoints. At most two sign at a time, so that whoever knows only the former one can still
 * verify while the new one is made known.
 */
@Injectable()
export class CheckpointKeys {
  #signers: { readonly at: number; readonly keys: Promise<NoteSigner[]> } | undefined;

  constructor(
    private readonly cells: Cells,
    private readonly encryption: FieldEncryption,
    private readonly config: AuthConfig,
  ) {}

  /** Under which name the installation signs, and its logs' origins begin. */
  get name(): string {
    return `${new URL(this.config.issuer).host}/audit`;
  }

  /** Those that sign now. */
  signers(): Promise<NoteSigner[]> {
    const known = this.#signers;
    if (known && Date.now() - known.at < KEEP_MS) return known.keys;
    const keys = this.#load();
    this.#signers = { at: Date.now(), keys };
    keys.catch(() => (this.#signers = undefined));
    return keys;
  }

  /** All that ever signed, the newest first. */
  async all(): Promise<CheckpointKey[]> {
    await this.signers();
    const { rows } = await this.cells.home.control.query<Row & { created_at: Date }>(
      `SELECT verifier, created_at, retired_at FROM control.checkpoint_keys ORDER BY created_at DESC, id DESC LIMIT ${KEYS_SHOWN}`,
    );
    return rows.map(({ verifier, created_at, retired_at }) => ({
      verifier,
      createdAt: created_at,
      retiredAt: retired_at ?? undefined,
    }));
  }

  /** Adds a key; of the former ones the last signs on beside it. Returns the new verifier. */
  async rotate(registry: RegistryTransaction): Promise<string> {
    const key = await this.#newKey();
    await registry.query({
      text: `UPDATE control.checkpoint_keys SET retired_at = now() WHERE retired_at IS NULL
        AND id <> (SELECT id FROM control.checkpoint_keys WHERE retired_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 1)`,
      values: [],
    });
    await registry.query(insertion(key));
    this.#signers = undefined;
    return key.verifier;
  }

  async #load(): Promise<NoteSigner[]> {
    const rows = await this.#rows();
    if (rows.length === 0) rows.push(await this.#first());
    const owner = this.cells.home.tenant(PLATFORM_TENANT);
    return Promise.all(
      rows.map(async ({ id, verifier, private_key: sealed }) => {
        const pem = await this.encryption.openJson(owner, place(id), sealed);
        return { name: verifier.slice(0, verifier.indexOf('+')), key: createPrivateKey(String(pem)) };
      }),
    );
  }

  async #rows(): Promise<Row[]> {
    const { rows } = await this.cells.home.control.query<Row>(
      `SELECT id, verifier, private_key, retired_at FROM control.checkpoint_keys
       WHERE retired_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 2`,
    );
    return rows;
  }

  /** One process makes the first key, however many start at once. */
  async #first(): Promise<Row> {
    const made = await this.#newKey();
    const client = await this.cells.home.control.connect();
    let failed = false;
    try {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock($1)', [CREATION_LOCK]);
      const { rows } = await client.query<Row>('SELECT * FROM control.checkpoint_keys LIMIT 1');
      const { text, values } = insertion(made);
      if (!rows[0]) await client.query(text, [...values]);
      await client.query('COMMIT');
      return rows[0] ?? made;
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      client.release(failed);
    }
  }

  async #newKey(): Promise<Row> {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const id = randomBytes(8).toString('hex');
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' });
    const owner = this.cells.home.tenant(PLATFORM_TENANT);
    const sealed = await this.encryption.sealJson(owner, place(id), pem);
    return { id, verifier: formatVerifier(this.name, publicKey), private_key: sealed, retired_at: null };
  }
}

function insertion({ id, verifier, private_key: sealed }: Row) {
  const text = 'INSERT INTO control.checkpoint_keys (id, verifier, private_key) VALUES ($1, $2, $3)';
  return { text, values: [id, verifier, sealed] };
}

function place(row: string) {
  return { table: 'checkpoint_keys', column: 'private_key', row };
}
