import { Injectable } from '@nestjs/common';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTHeaderParameters } from 'jose';
import { LRUCache } from 'lru-cache';
import { ProviderDocuments } from '../federation/index.js';
import { ServiceUnavailable } from '../platform/http/errors.js';

type Resolve = ReturnType<typeof createLocalJWKSet>;

interface Known {
  /** Absent where they could not be had. */
  readonly keys?: Resolve;
  readonly askedAt: number;
}

const KEPT = 1_000;
/** A key that is not published any more is believed no longer. */
const KEEP_MS = 10 * 60_000;
/** So often at most are they asked for anew because of a name that nobody knows, or after they could not be had. */
const AGAIN_AFTER_MS = 10_000;
const MOST_KEYS = 100;

/**
 * The keys that transmitters sign with, as they publish them. They are asked for through the guarded egress, once for however
 * many events wait for them, and kept by their address, which says the same to everybody.
 */
@Injectable()
export class TransmitterKeys {
  readonly #known = new LRUCache<string, Known>({ max: KEPT, ttl: KEEP_MS });
  readonly #asking = new Map<string, Promise<Known>>();

  constructor(private readonly documents: ProviderDocuments) {}

  /** @throws {ServiceUnavailable | errors.JOSEError} the latter where there is no such key */
  async find(url: string, header: JWTHeaderParameters): Promise<Awaited<ReturnType<Resolve>>> {
    const known = this.#known.get(url);
    const keys = known ?? (await this.#ask(url));
    try {
      return await resolve(keys, header);
    } catch (error) {
      const unfound = error instanceof errors.JWKSNoMatchingKey || error instanceof ServiceUnavailable;
      if (!known || !unfound || Date.now() - known.askedAt < AGAIN_AFTER_MS) throw error;
      return resolve(await this.#ask(url), header);
    }
  }

  #ask(url: string): Promise<Known> {
    const asked = this.#asking.get(url) ?? this.#read(url).finally(() => this.#asking.delete(url));
    this.#asking.set(url, asked);
    return asked;
  }

  async #read(url: string): Promise<Known> {
    const askedAt = Date.now();
    const keys = await this.#published(url).catch(() => undefined);
    const known = { askedAt, ...(keys && { keys }) };
    this.#known.set(url, known);
    return known;
  }

  async #published(url: string): Promise<Resolve> {
    const text = await this.documents.text(url, 'application/jwk-set+json, application/json');
    const set = JSON.parse(text) as JSONWebKeySet;
    if (!Array.isArray(set.keys) || set.keys.length > MOST_KEYS) throw new Error('It is no set of keys.');
    return createLocalJWKSet(set);
  }
}

function resolve({ keys }: Known, header: JWTHeaderParameters): ReturnType<Resolve> {
  if (!keys)
    throw new ServiceUnavailable(
      'The keys of the transmitter could not be read. Send the event again in a moment.',
    );
  return keys(header);
}
