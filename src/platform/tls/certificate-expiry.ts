import type { TlsFiles } from './tls-files.js';

const DAY_MS = 86_400_000;
/** Where a certificate lives shorter than 90 days, a third and a twelfth of its life instead. */
const SOON_MS = 30 * DAY_MS;
const URGENT_MS = 7 * DAY_MS;

export type ExpiryLevel = 'fine' | 'soon' | 'urgent';

export interface ExpiringCertificate {
  /** What it is for: `server`, `redis client`, `database client eu-west-1-c1`. */
  readonly name: string;
  readonly expiresAt: Date;
  /** Negative once it has expired. */
  readonly secondsLeft: number;
  readonly level: ExpiryLevel;
}

/**
 * Every certificate that this process presents, and how long it is still good for. A chain is as good as the first of
 * it that expires. Authorities that we believe are left out: a bundle of them always has some that have expired.
 */
export class CertificateExpiry {
  readonly #files: TlsFiles[] = [];

  constructor(files: readonly TlsFiles[]) {
    for (const one of files) this.add(one);
  }

  add(files: TlsFiles): void {
    if (files.chain.length > 0) this.#files.push(files);
  }

  get files(): readonly TlsFiles[] {
    return this.#files;
  }

  /** The gauge. */
  list(now = Date.now()): ExpiringCertificate[] {
    return this.#files.map((files) => expiryOf(files, now));
  }
}

export function expiryOf({ name, chain }: TlsFiles, now: number): ExpiringCertificate {
  const first = chain.toSorted((one, other) => one.validToDate.getTime() - other.validToDate.getTime())[0];
  if (!first) throw new Error(`There is no certificate for ${name}.`);
  const expiresAt = first.validToDate;
  const left = expiresAt.getTime() - now;
  const life = expiresAt.getTime() - first.validFromDate.getTime();
  return { name, expiresAt, secondsLeft: Math.floor(left / 1_000), level: levelOf(left, life) };
}

function levelOf(leftMs: number, lifeMs: number): ExpiryLevel {
  if (leftMs < Math.min(URGENT_MS, lifeMs / 12)) return 'urgent';
  return leftMs < Math.min(SOON_MS, lifeMs / 3) ? 'soon' : 'fine';
}
