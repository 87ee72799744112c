import { createHash, randomBytes } from 'node:crypto';

/** One version of an object; a marker says that it was deleted then. */
export interface Version {
  readonly id: string;
  readonly body: Buffer;
  readonly contentType: string;
  readonly marker: boolean;
  readonly at: number;
  retainUntil: Date | undefined;
  hold: boolean;
  /** The KMS key that it is sealed under, and whether by way of a bucket key. */
  sealedUnder: { readonly key: string; readonly bucketKey: boolean } | undefined;
}

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code);
  }
}

/**
 * Objects and their versions, as a bucket with Object Lock keeps them: in COMPLIANCE mode nobody deletes a version or
 * shortens its retention before its time. Without Object Lock there is one version of each, and nothing is kept.
 */
export class Bucket {
  readonly #objects = new Map<string, Version[]>();

  constructor(readonly locking: boolean) {}

  put(key: string, body: Buffer, contentType: string, lock: { until?: Date; hold: boolean }): Version {
    if (!this.locking && (lock.until || lock.hold)) throw new Refused(400, 'InvalidRequest');
    if (lock.until && lock.until.getTime() <= Date.now()) throw new Refused(400, 'InvalidArgument');
    const version = this.#version(body, contentType, false);
    version.retainUntil = lock.until;
    version.hold = lock.hold;
    this.#add(key, version);
    return version;
  }

  /** The newest, or the one of an id. Undefined where it was deleted. */
  version(key: string, id?: string | null): Version | undefined {
    const versions = this.#objects.get(key) ?? [];
    const found = id == null ? versions.at(-1) : versions.find((each) => each.id === id);
    return found?.marker === true && id == null ? undefined : found;
  }

  delete(key: string, id: string | null): void {
    const versions = this.#objects.get(key) ?? [];
    if (id !== null) {
      const version = versions.find((each) => each.id === id);
      if (version && isLocked(version)) throw new Refused(403, 'AccessDenied');
      this.#keep(
        key,
        versions.filter((each) => each.id !== id),
      );
    } else if (this.locking) this.#add(key, this.#version(Buffer.alloc(0), '', true));
    else this.#objects.delete(key);
  }

  retain(key: string, id: string | null, until: Date | undefined): void {
    const version = this.#existing(key, id);
    const shortens =
      version.retainUntil !== undefined && (until === undefined || until < version.retainUntil);
    if (shortens && isRetained(version)) throw new Refused(403, 'AccessDenied');
    version.retainUntil = until;
  }

  hold(key: string, id: string | null, held: boolean): void {
    this.#existing(key, id).hold = held;
  }

  keys(prefix: string, after: string): string[] {
    return [...this.#objects.keys()]
      .filter((key) => key.startsWith(prefix) && key > after && this.version(key))
      .sort();
  }

  /** The versions of all keys that begin so, the newest of each first. */
  versions(prefix: string): { readonly key: string; readonly version: Version; readonly latest: boolean }[] {
    return [...this.#objects]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([key, versions]) =>
        versions.toReversed().map((version, at) => ({ key, version, latest: at === 0 })),
      );
  }

  #existing(key: string, id: string | null): Version {
    if (!this.locking) throw new Refused(400, 'InvalidRequest');
    const version = this.version(key, id);
    if (!version) throw new Refused(404, 'NoSuchKey');
    return version;
  }

  #add(key: string, version: Version): void {
    this.#keep(key, this.locking ? [...(this.#objects.get(key) ?? []), version] : [version]);
  }

  #keep(key: string, versions: Version[]): void {
    if (versions.length > 0) this.#objects.set(key, versions);
    else this.#objects.delete(key);
  }

  #version(body: Buffer, contentType: string, marker: boolean): Version {
    const id = this.locking ? randomBytes(8).toString('hex') : 'null';
    return {
      id,
      body,
      contentType,
      marker,
      at: Date.now(),
      retainUntil: undefined,
      hold: false,
      sealedUnder: undefined,
    };
  }
}

export function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

function isRetained({ retainUntil }: Version): boolean {
  return retainUntil !== undefined && retainUntil.getTime() > Date.now();
}

function isLocked(version: Version): boolean {
  return version.hold || isRetained(version);
}
