import type { Log } from '../observability/log.js';
import { expiryOf, type CertificateExpiry, type ExpiringCertificate } from './certificate-expiry.js';
import type { TlsFiles } from './tls-files.js';

/** A new certificate is taken when it was seen twice: within two of these. */
export const POLL_MS = 2_000;
const REPEAT_MS = 86_400_000;

interface Watched {
  generation: number;
  problem: string | undefined;
  level: ExpiringCertificate['level'];
  saidAt: number;
}

/**
 * Looks at the certificates' files every two seconds, tells when new ones were taken, and logs what an operator has to
 * know: a replacement that cannot be used, a certificate that expires. Polling, because a watch on a file does not
 * survive the links that Kubernetes swaps, and misses what happens on some file systems.
 */
export class CertificateWatch {
  readonly #watched = new Map<TlsFiles, Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly certificates: CertificateExpiry,
    private readonly log: Pick<Log, 'log' | 'warn' | 'error'>,
    private readonly onTaken: (files: TlsFiles) => void,
    private readonly now: () => number = Date.now,
  ) {}

  /** Whether there is anything to look at. */
  get needed(): boolean {
    return this.certificates.files.length > 0;
  }

  start(): void {
    if (!this.needed) return;
    this.#look();
    this.#timer = setInterval(() => this.poll(), POLL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  poll(): void {
    for (const files of this.certificates.files) files.refreshSettled();
    this.#look();
  }

  /** Takes at once what is there, without waiting until it looks settled. */
  reload(): void {
    for (const files of this.certificates.files) files.refresh();
    this.#look();
  }

  #look(): void {
    for (const files of this.certificates.files) {
      const state = this.#watched.get(files) ?? {
        generation: files.generation,
        problem: undefined,
        level: 'fine',
        saidAt: 0,
      };
      this.#watched.set(files, state);
      this.#tellTaken(files, state);
      this.#tellProblem(files, state);
      this.#tellExpiry(files, state);
    }
  }

  #tellTaken(files: TlsFiles, state: Watched): void {
    if (state.generation === files.generation) return;
    state.generation = files.generation;
    this.onTaken(files);
    const { expiresAt } = expiryOf(files, this.now());
    this.log.log(`New certificate of ${files.name}, good until ${expiresAt.toISOString()}.`);
  }

  #tellProblem(files: TlsFiles, state: Watched): void {
    if (state.problem === files.problem) return;
    state.problem = files.problem;
    if (files.problem !== undefined)
      this.log.error(
        `The new certificate of ${files.name} is not taken, the old one stays. ${files.problem}`,
      );
  }

  /** Once a day, and whenever it gets worse. */
  #tellExpiry(files: TlsFiles, state: Watched): void {
    const now = this.now();
    const { level, expiresAt, secondsLeft } = expiryOf(files, now);
    const due = level !== state.level || now - state.saidAt >= REPEAT_MS;
    state.level = level;
    if (level === 'fine' || !due) return;
    state.saidAt = now;
    const verb = secondsLeft < 0 ? 'has expired' : 'expires';
    const text = `The certificate of ${files.name} ${verb}: ${expiresAt.toISOString()}.`;
    const details = { certificate: files.name, secondsLeft };
    if (level === 'urgent') this.log.error(text, undefined, details);
    else this.log.warn(text, details);
  }
}
