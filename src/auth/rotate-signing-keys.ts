import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { AuditEvent } from '../audit/index.js';
import { FieldEncryption } from '../encryption/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import {
  announceInRegistry,
  Cells,
  PLATFORM_TENANT,
  type RegistryTransaction,
} from '../platform/database/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import { Log } from '../platform/observability/log.js';
import { RegistryWork } from '../requests/index.js';
import { SigningKeyNotInUse } from './auth.errors.js';
import { newSigningKey } from './new-signing-key.js';
import { SIGNING_KEYS_LOCK } from './signing-keys.js';

/** A key signs for so long; its successor is made a day before it takes over. */
const SIGNS_DAYS = 90;
/** Whoever keeps our public keys reads them again within that time: a token must not come with a key they have not seen. */
const PUBLISHED_BEFORE = "interval '1 day'";
const LOOK_MS = 60 * 60_000;

export interface RotatedKey {
  readonly kid: string;
  readonly signsFrom: Date;
}

/** Replaces the keys that sign access tokens: by age, when the operator asks for it, and at once when one is compromised. */
@Injectable()
export class RotateSigningKeys implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #rounds = new RepeatedWork(
    () => this.byAge(),
    LOOK_MS,
    (error) => this.log.error('signing keys could not be looked at; it is repeated', error),
  );

  constructor(
    private readonly cells: Cells,
    private readonly encryption: FieldEncryption,
    private readonly work: RegistryWork,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#rounds.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#rounds.stop();
  }

  /**
   * What the operator asks for. With `compromised` the others are believed by nobody from now on, nor their tokens.
   * @throws {SigningKeyNotInUse}
   */
  async execute(compromised: boolean): Promise<RotatedKey> {
    const key = await this.#make();
    const rotated = await this.work.run(PLATFORM_TENANT, async (registry) => {
      await lock(registry);
      if (compromised)
        await registry.query({
          text: 'UPDATE control.signing_keys SET revoked_at = now() WHERE revoked_at IS NULL',
          values: [],
        });
      else await refuseBeforeUse(registry);
      const stored = await insert(registry, key, compromised ? 'now()' : `now() + ${PUBLISHED_BEFORE}`);
      auditDetails({ resource: { type: 'signing_key', id: stored.kid }, changes: { compromised } });
      return stored;
    });
    return rotated;
  }

  /** Makes the successor of a key that is about to be old enough. Answers whether there was one to make. */
  async byAge(): Promise<boolean> {
    if (!(await this.#isDue())) return false;
    const key = await this.#make();
    try {
      await this.work.runAs(PLATFORM_TENANT, rotatedEvent, async (registry) => {
        await lock(registry);
        if (!(await isDue((text) => registry.query({ text, values: [] })))) throw new RotatedMeanwhile();
        return insert(registry, key, `now() + ${PUBLISHED_BEFORE}`);
      });
      return true;
    } catch (error) {
      if (error instanceof RotatedMeanwhile) return false;
      throw error;
    }
  }

  #isDue(): Promise<boolean> {
    return isDue((text) => this.cells.home.control.query(text));
  }

  #make(): ReturnType<typeof newSigningKey> {
    return newSigningKey(this.encryption, this.cells.home.tenant(PLATFORM_TENANT));
  }
}

/** Another process was faster: there is nothing to do, and no event of it. */
class RotatedMeanwhile extends Error {}

async function isDue(query: (text: string) => Promise<{ rows: unknown[] }>): Promise<boolean> {
  const { rows } = await query(
    `SELECT 1 FROM control.signing_keys WHERE revoked_at IS NULL
     HAVING max(signs_from) < now() - interval '${SIGNS_DAYS} days' + ${PUBLISHED_BEFORE}`,
  );
  return rows.length > 0;
}

/** One successor at a time: whoever verifies tokens has to see each key before it signs, and all of them are kept in memory. */
async function refuseBeforeUse(registry: RegistryTransaction): Promise<void> {
  const { rows } = await registry.query<{ signs_from: Date | null }>({
    text: 'SELECT max(signs_from) AS signs_from FROM control.signing_keys WHERE revoked_at IS NULL AND signs_from > now()',
    values: [],
  });
  const from = rows[0]?.signs_from;
  if (from) throw new SigningKeyNotInUse(from);
}

async function lock(registry: RegistryTransaction): Promise<void> {
  await registry.query({ text: 'SELECT pg_advisory_xact_lock($1)', values: [SIGNING_KEYS_LOCK] });
}

async function insert(
  registry: RegistryTransaction,
  key: Awaited<ReturnType<typeof newSigningKey>>,
  signsFrom: string,
): Promise<RotatedKey> {
  const { rows } = await registry.query<{ signs_from: Date }>({
    text: `INSERT INTO control.signing_keys (kid, public_jwk, private_key, signs_from) VALUES ($1, $2, $3, ${signsFrom})
      RETURNING signs_from`,
    values: [key.kid, key.public_jwk, key.private_key],
  });
  await registry.query(announceInRegistry({ kind: 'signing_keys', tenant: PLATFORM_TENANT, id: key.kid }));
  const [stored] = rows;
  if (!stored) throw new Error('The signing key was not stored.');
  return { kid: key.kid, signsFrom: stored.signs_from };
}

function rotatedEvent({ kid }: RotatedKey): AuditEvent {
  return {
    action: 'signing_key.rotated',
    actor: { type: 'system', id: 'auth' },
    outcome: 'success',
    resource: { type: 'signing_key', id: kid },
    changes: { compromised: false },
  };
}
