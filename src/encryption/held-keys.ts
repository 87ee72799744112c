import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { TenantRef } from '../platform/database/index.js';
import { CallGate } from './call-gate.js';
import { FieldUnreadable, headerOf, sealUnderKms, SUITE, wrappedByKms, type Suite } from './field-codec.js';
import type { FieldPlace } from './field-place.js';
import { HeldKeyRefused, KeysUnavailable, keyServiceFault } from './key-errors.js';
import { KeyTimes } from './key-times.js';
import { CellKms, type Kms } from './kms.js';
import type { TenantKeys } from './tenant-keys.js';

const KEYS_IN_MEMORY = 10_000;
/** Calls to the KMS at once for one tenant, and for all: a page of a list is hundreds of values. */
const AT_ONCE = 16;
const LIMITS = { atOnce: 2 * AT_ONCE, perTenant: AT_ONCE, waiting: 2_000 };
const SWEEP_MS = 10_000;

/** A value as it is stored, and the column that it is of. */
export interface StoredValue extends Pick<FieldPlace, 'table' | 'column'> {
  readonly bytes: Buffer;
}

interface Entry {
  readonly dek: Buffer;
  readonly openedAt: number;
}

/**
 * Data keys that a customer's key in the KMS wraps one by one: each value that is sealed is a call to the KMS, and each
 * that is opened is one, unless it was within the minute. What a customer pays for seeing each use.
 */
@Injectable()
export class HeldKeys implements OnModuleInit, OnApplicationShutdown {
  readonly #known = new LRUCache<string, Entry>({ max: KEYS_IN_MEMORY });
  /** Of who reads the same value at the same time, one asks. */
  readonly #flights = new Map<string, Promise<Buffer>>();
  readonly #gate = new CallGate(LIMITS);
  readonly #fresh: number;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(
    private readonly kms: CellKms,
    private readonly times: KeyTimes,
  ) {
    this.#fresh = times.ofHeldKeys().fresh;
  }

  onModuleInit(): void {
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.#sweeping);
  }

  /** @throws {HeldKeyRefused | KeysUnavailable} */
  async seal(tenant: TenantRef, keys: TenantKeys, place: FieldPlace, value: Buffer): Promise<Buffer> {
    const kms = this.kms.of(tenant.cell);
    const context = contextOf(tenant, SUITE.kms, place);
    const dek = await this.#asked(tenant, () => kms.generateDataKey(keys.kmsKeyId, context));
    return sealUnderKms(keys.current.id, dek, place, value);
  }

  /**
   * The data keys of values, by `wrappedByKms` in hexadecimal.
   * @throws {HeldKeyRefused | KeysUnavailable}
   */
  async open(
    tenant: TenantRef,
    keys: TenantKeys,
    stored: readonly StoredValue[],
  ): Promise<ReadonlyMap<string, Buffer>> {
    const found = new Map<string, Buffer>();
    for (let at = 0; at < stored.length; at += AT_ONCE)
      await Promise.all(
        stored.slice(at, at + AT_ONCE).map(async (value) => {
          const dek = await this.#dekOf(tenant, keys, value);
          if (dek) found.set(wrappedByKms(value.bytes).toString('hex'), dek);
        }),
      );
    return found;
  }

  /** Undefined of what is damaged: who opens it is told so, and who opens what stands beside it is not. */
  async #dekOf(tenant: TenantRef, keys: TenantKeys, value: StoredValue): Promise<Buffer | undefined> {
    try {
      const wrapped = wrappedByKms(value.bytes);
      const { keyId, suite } = headerOf(value.bytes);
      const context = contextOf(tenant, suite, value);
      const name = [...Object.values(context), keyId, wrapped.toString('hex')].join(' ');
      const known = this.#known.get(name);
      if (known && this.times.now() - known.openedAt < this.#fresh) return known.dek;
      const kmsKeyId = keys.heldBy.get(keyId);
      if (kmsKeyId === undefined) return undefined;
      return await this.#opened(tenant, name, (kms) => kms.decrypt(kmsKeyId, wrapped, context));
    } catch (error) {
      if (error instanceof FieldUnreadable) return undefined;
      throw error;
    }
  }

  #opened(tenant: TenantRef, name: string, open: (kms: Kms) => Promise<Buffer>): Promise<Buffer> {
    const running = this.#flights.get(name);
    if (running) return running;
    const kms = this.kms.of(tenant.cell);
    const flight = this.#asked(tenant, async () => {
      const openedAt = this.times.now();
      const dek = await open(kms);
      this.#known.set(name, { dek, openedAt });
      return dek;
    }).finally(() => this.#flights.delete(name));
    this.#flights.set(name, flight);
    return flight;
  }

  #asked<T>({ id }: TenantRef, call: () => Promise<T>): Promise<T> {
    return this.#gate.run(id, () => answered(call()));
  }

  #sweep(): void {
    const now = this.times.now();
    for (const [name, { openedAt }] of this.#known.entries())
      if (now - openedAt >= this.#fresh) this.#known.delete(name);
  }
}

export function isHeld(stored: Buffer): boolean {
  return stored[1] === SUITE.kms || stored[1] === SUITE.kmsOfTenant;
}

/** What whoever keeps the key sees in each call, and may allow by. */
function contextOf(
  { id }: TenantRef,
  suite: Suite,
  { table, column }: Pick<FieldPlace, 'table' | 'column'>,
): Record<string, string> {
  return { tenant: id, purpose: 'value', ...(suite === SUITE.kms && { table, column }) };
}

async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const fault = keyServiceFault(error);
    // Of one value: it is none that this key has wrapped.
    if ((error as { code?: unknown }).code === 'invalid_ciphertext') throw new FieldUnreadable();
    if (fault === 'refusal') throw new HeldKeyRefused({ cause: error });
    throw fault === 'passing' ? new KeysUnavailable({ cause: error }) : error;
  }
}
