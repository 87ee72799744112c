import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTHeaderParameters } from 'jose';
import { LRUCache } from 'lru-cache';

type Resolve = ReturnType<typeof createLocalJWKSet>;

/** A set of keys as it was published, and how long it is as text. */
export interface KeySet {
  readonly set: JSONWebKeySet;
  readonly size: number;
}

interface Known {
  readonly keys: Resolve | KeysUnreadable;
  readonly size: number;
  /** From when on they may be asked for anew because of what they do not have. */
  readonly againAt: number;
}

const KEPT = 1_000;
const LARGEST_TOGETHER = 32 * 1_048_576;
/** A key that is not published any more is believed no longer. */
const KEEP_MS = 10 * 60_000;
/** So often at most are they asked for anew because of a name that nobody knows, or after they could not be had. */
const AGAIN_AFTER_MS = 10_000;

/** The keys could not be had; the cause says why. */
export class KeysUnreadable extends Error {
  override readonly name = 'KeysUnreadable';
}

/**
 * Keys that others sign with, as they publish them: asked for once for however many wait for them, and kept by a name under
 * which they are the same for everybody, whichever organisation has given it.
 */
export class PublishedKeys {
  readonly #known = new LRUCache<string, Known>({
    max: KEPT,
    maxSize: LARGEST_TOGETHER,
    sizeCalculation: ({ size }) => size,
    ttl: KEEP_MS,
  });
  readonly #asking = new Map<string, Promise<Known>>();

  /** @param read what is published under a name */
  constructor(private readonly read: (name: string) => Promise<KeySet>) {}

  /** @throws {KeysUnreadable | errors.JOSEError} the latter where there is no such key */
  async find(name: string, header: JWTHeaderParameters): Promise<Awaited<ReturnType<Resolve>>> {
    const known = this.#known.get(name);
    if (!known) return resolve(await this.#ask(name), header);
    try {
      return await resolve(known, header);
    } catch (error) {
      const unfound = error instanceof errors.JWKSNoMatchingKey || error instanceof KeysUnreadable;
      const newer = unfound ? await this.#newer(name, known) : undefined;
      if (!newer) throw error;
      return resolve(newer, header);
    }
  }

  /** Undefined where it is too early to ask again. */
  async #newer(name: string, known: Known): Promise<Known | undefined> {
    const asked = this.#asking.get(name);
    if (asked) return asked;
    const latest = this.#known.get(name);
    if (latest !== known) return latest ?? this.#ask(name);
    return Date.now() < known.againAt ? undefined : this.#ask(name);
  }

  #ask(name: string): Promise<Known> {
    const asked = this.#asking.get(name) ?? this.#read(name).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asked);
    return asked;
  }

  /** The first look leaves the next one open, so that a key which is new at that moment is found; after that it is waited. */
  async #read(name: string): Promise<Known> {
    const first = !this.#known.has(name);
    const known = await this.#published(name, first).catch((cause: unknown) => ({
      keys: new KeysUnreadable('The keys could not be read.', { cause }),
      size: 1,
      againAt: Date.now() + AGAIN_AFTER_MS,
    }));
    this.#known.set(name, known);
    return known;
  }

  async #published(name: string, first: boolean): Promise<Known> {
    const { set, size } = await this.read(name);
    return { keys: createLocalJWKSet(set), size, againAt: first ? 0 : Date.now() + AGAIN_AFTER_MS };
  }
}

async function resolve({ keys }: Known, header: JWTHeaderParameters): Promise<Awaited<ReturnType<Resolve>>> {
  if (keys instanceof KeysUnreadable) throw keys;
  return keys(header);
}
