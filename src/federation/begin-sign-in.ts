import { Injectable } from '@nestjs/common';
import { StepUpNeedsSession } from '../auth/index.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { Addresses } from './addresses.js';
import { Attempts, newState, type AttemptPurpose, type AttemptSecrets } from './attempts.js';
import { bindBrowser } from './browser-binding.js';
import { ConnectionStore } from './connection-store.js';
import { isOidc, isSaml, type ConnectionEntity } from './connection.entity.js';
import { KeepFailure } from './keep-failure.js';
import { OidcSignIn } from './oidc/oidc-sign-in.js';
import { safeReturnTo } from './return-to.js';
import { SamlSignIn } from './saml/saml-sign-in.js';
import { TestReports } from './test-reports.js';
import type { TestReportDto } from './tests.dto.js';

/** What whoever begins a sign-in may say. */
export interface BeginOptions {
  readonly returnTo?: unknown;
  readonly loginHint?: unknown;
  /** From the address that ordering a test has answered. */
  readonly test?: unknown;
}

export interface Begun {
  readonly kind: 'begun';
  /** Of the provider. */
  readonly url: string;
  /** Ties the sign-in to the browser. */
  readonly cookie: string;
}

/** A test that came to its end before the provider was asked anything. */
export interface TestFailed {
  readonly kind: 'tested';
  readonly report: TestReportDto;
}

/** Sends a browser to the provider. */
@Injectable()
export class BeginSignIn {
  constructor(
    private readonly work: UnitOfWork,
    private readonly store: ConnectionStore,
    private readonly attempts: Attempts,
    private readonly oidc: OidcSignIn,
    private readonly saml: SamlSignIn,
    private readonly addresses: Addresses,
    private readonly failures: KeepFailure,
    private readonly reports: TestReports,
  ) {}

  async execute(connectionId: string, options: BeginOptions): Promise<Begun | TestFailed> {
    const { test } = options;
    // Whoever has ordered a test may try what is not active yet; each order is good for one.
    const ordered = typeof test === 'string' && test.length <= 100;
    const connection = ordered ? await this.store.find(connectionId) : await this.store.active(connectionId);
    if (!ordered) return this.#begin(connection, 'sign_in', options);
    await this.attempts.consume(connection.id, test, 'any');
    try {
      return await this.#begin(connection, 'test', options);
    } catch (error) {
      const report = await this.reports.failed(connection.id, error);
      auditDetails({
        action: 'sso_connection.test_received',
        resource: { type: 'sso_connection', id: connection.id },
      });
      return { kind: 'tested', report };
    }
  }

  /** Sends somebody who has a session of the connection there again. @throws {StepUpNeedsSession} */
  async again({ id, sessionId }: Actor, returnTo: unknown): Promise<Begun> {
    const connectionId = sessionId && (await this.store.ofSession(sessionId));
    if (!sessionId || !connectionId) throw new StepUpNeedsSession();
    const connection = await this.store.active(connectionId);
    return this.#begin(connection, 'step_up', { returnTo }, { id: sessionId, userId: id });
  }

  async #begin(
    connection: ConnectionEntity,
    purpose: AttemptPurpose,
    options: BeginOptions,
    session?: AttemptSecrets['session'],
  ): Promise<Begun> {
    const state = newState();
    const { url, secrets } = await this.#ask(
      connection,
      state,
      options.loginHint,
      session !== undefined,
    ).catch(async (error: unknown) => {
      if (purpose !== 'test') await this.failures.keep(connection.id, error);
      throw error;
    });
    const browser = bindBrowser(state, isSaml(connection) ? 'none' : 'lax');
    const returnTo = safeReturnTo(options.returnTo, this.addresses.baseUrl);
    await this.work.run(async () => {
      auditDetails({
        resource: { type: 'sso_connection', id: connection.id },
        changes: { method: connection.type, purpose },
      });
      await this.attempts.begin(connection.id, state, browser.hash, {
        purpose,
        secrets: { ...secrets, returnTo, ...(session && { session }) },
      });
    });
    return { kind: 'begun', url, cookie: browser.cookie };
  }

  async #ask(connection: ConnectionEntity, state: string, hint: unknown, anew: boolean) {
    if (isOidc(connection)) {
      const redirectUri = this.addresses.of(connection.id, 'callback');
      const loginHint = typeof hint === 'string' && hint.length <= 254 ? hint : undefined;
      return this.oidc.begin(connection, {
        state,
        redirectUri,
        anew,
        ...(loginHint !== undefined && { loginHint }),
      });
    }
    if (isSaml(connection)) return this.saml.begin(connection, { state, anew });
    throw new Error(`There is no way to sign in by ${connection.type}.`);
  }
}
