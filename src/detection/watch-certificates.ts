import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { EventRecorder } from '../audit/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import { Log } from '../platform/observability/log.js';
import { CertificateExpiry, type ExpiringCertificate } from '../platform/tls/index.js';

const LOOK_MS = 60_000;
const FIRST_LOOK_MS = 3_000;
const REPEAT_MS = 86_400_000;

/**
 * Records certificates that expire in the installation's own log, where a rule finds them: once a day from when it is near,
 * and whenever it gets worse.
 */
@Injectable()
export class WatchCertificates implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #said = new Map<string, { readonly level: string; readonly at: number }>();
  readonly #looking = new RepeatedWork(
    () => this.look(),
    LOOK_MS,
    (error) => this.log.error('certificates could not be looked at; it is repeated', error),
  );

  constructor(
    private readonly certificates: CertificateExpiry,
    private readonly events: EventRecorder,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#looking.start(FIRST_LOOK_MS);
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#looking.stop();
  }

  async look(now = Date.now()): Promise<void> {
    for (const certificate of this.certificates.list(now)) {
      const { name, level, secondsLeft } = certificate;
      const state = level === 'fine' || secondsLeft >= 0 ? level : 'expired';
      const said = this.#said.get(name);
      if (state === 'fine' || (said?.level === state && now - said.at < REPEAT_MS)) continue;
      await this.#record(certificate);
      this.#said.set(name, { level: state, at: now });
    }
  }

  async #record({ name, expiresAt, secondsLeft, level }: ExpiringCertificate): Promise<void> {
    await this.events.record(undefined, {
      action: 'certificate.expiring',
      actor: { type: 'system', id: 'certificates' },
      outcome: 'failure',
      resource: { type: 'certificate', id: name },
      changes: { certificate: name, expiresAt: expiresAt.toISOString(), level, expired: secondsLeft < 0 },
    });
  }
}
