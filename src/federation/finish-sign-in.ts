import { Injectable } from '@nestjs/common';
import type { SignedIn } from '../auth/index.js';
import type { Admitted, SecondFactorDueDto } from '../mfa/index.js';
import { SecondFactorConfig } from '../platform/config/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { auditDetails } from '../platform/http/request-context.js';
import { Addresses } from './addresses.js';
import { Attempts, type Attempt } from './attempts.js';
import { boundBrowser, unbindBrowser } from './browser-binding.js';
import { CompleteSignIn } from './complete-sign-in.js';
import { ConnectionStore } from './connection-store.js';
import { isOidc, isSaml, type ConnectionEntity } from './connection.entity.js';
import { SsoFailed } from './federation.errors.js';
import { KeepFailure } from './keep-failure.js';
import { OidcSignIn } from './oidc/oidc-sign-in.js';
import { ProveAgain } from './prove-again.js';
import type { ProvenPerson } from './proven-person.js';
import { SamlSignIn } from './saml/saml-sign-in.js';
import { TestReports } from './test-reports.js';
import type { TestReportDto } from './tests.dto.js';

/** What a browser brings back from a provider. */
export type ProviderAnswer =
  | { readonly type: 'oidc'; readonly query: URLSearchParams; readonly state: string }
  | { readonly type: 'saml'; readonly response: unknown; readonly state: string };

export type Finished =
  | {
      readonly kind: 'signed_in';
      readonly signedIn: SignedIn;
      readonly enrolmentOnly: boolean;
      readonly returnTo: string;
      readonly cookie: string;
    }
  | {
      readonly kind: 'second_factor_due';
      readonly due: SecondFactorDueDto;
      /** Where a browser goes with it. */
      readonly page: string;
      readonly cookie: string;
    }
  | { readonly kind: 'proved_again'; readonly returnTo: string; readonly cookie: string }
  | { readonly kind: 'tested'; readonly report: TestReportDto; readonly cookie: string };

/** Takes a provider's answer: uses the attempt up, has the answer checked, and opens a session, or reports what a test has found. */
@Injectable()
export class FinishSignIn {
  constructor(
    private readonly store: ConnectionStore,
    private readonly attempts: Attempts,
    private readonly oidc: OidcSignIn,
    private readonly saml: SamlSignIn,
    private readonly complete: CompleteSignIn,
    private readonly proveAgain: ProveAgain,
    private readonly reports: TestReports,
    private readonly addresses: Addresses,
    private readonly pages: SecondFactorConfig,
    private readonly failures: KeepFailure,
  ) {}

  async execute(
    tenant: RequestTenant,
    connectionId: string,
    answer: ProviderAnswer,
    cookies: string | undefined,
  ): Promise<Finished> {
    const connection = await this.store.find(connectionId);
    auditDetails({ resource: { type: 'sso_connection', id: connection.id } });
    if (connection.type !== answer.type) throw new ResourceNotFound('connection');
    const attempt = await this.#attempt(connection, answer, cookies);
    const cookie = unbindBrowser(answer.state, answer.type === 'saml' ? 'none' : 'lax');
    if (attempt?.purpose === 'test') {
      auditDetails({ action: 'sso_connection.test_received' });
      return { kind: 'tested', report: await this.#test(connection, answer, attempt), cookie };
    }
    if (connection.state !== 'active') throw new ResourceNotFound('connection');
    const returnTo = attempt?.secrets.returnTo ?? '/';
    if (attempt?.purpose === 'step_up') {
      auditDetails({ action: 'session.stepped_up' });
      const { session } = attempt.secrets;
      if (!session) throw new SsoFailed('SSO_STATE_UNKNOWN');
      await this.proveAgain.execute(
        tenant,
        connection,
        await this.#prove(connection, answer, attempt),
        session,
      );
      return { kind: 'proved_again', returnTo, cookie };
    }
    const admitted = await this.#signIn(tenant, connection, answer, attempt, cookies);
    if (admitted.kind === 'signed_in') return { ...admitted, returnTo, cookie };
    const { challenge, methods } = admitted.due;
    // Behind the page's address, where no server and no log on the way sees it.
    const behind = new URLSearchParams({ challenge, methods: methods.join(','), returnTo });
    return { ...admitted, page: `${this.pages.pageUrl}#${behind.toString()}`, cookie };
  }

  /** None for a sign-in that began at the provider, where the connection takes such. */
  async #attempt(
    connection: ConnectionEntity,
    answer: ProviderAnswer,
    cookies: string | undefined,
  ): Promise<Attempt | undefined> {
    const browser = boundBrowser(answer.state, cookies);
    if (answer.type === 'saml' && browser === undefined && isSaml(connection)) {
      if (connection.settings.idpInitiated) return undefined;
      if (answer.state === '') throw new SsoFailed('SAML_UNSOLICITED');
    }
    return this.attempts.consume(connection.id, answer.state, browser);
  }

  async #signIn(
    tenant: RequestTenant,
    connection: ConnectionEntity,
    answer: ProviderAnswer,
    attempt: Attempt | undefined,
    cookies: string | undefined,
  ): Promise<Admitted> {
    try {
      const person = await this.#prove(connection, answer, attempt);
      const admitted = await this.complete.execute(tenant, connection, person, cookies);
      await this.store.succeeded(connection);
      return admitted;
    } catch (error) {
      await this.failures.keep(connection.id, error);
      throw error;
    }
  }

  async #test(
    connection: ConnectionEntity,
    answer: ProviderAnswer,
    attempt: Attempt,
  ): Promise<TestReportDto> {
    try {
      return await this.reports.received(connection, await this.#prove(connection, answer, attempt));
    } catch (error) {
      return this.reports.failed(connection.id, error);
    }
  }

  #prove(
    connection: ConnectionEntity,
    answer: ProviderAnswer,
    attempt: Attempt | undefined,
  ): Promise<ProvenPerson> {
    if (answer.type === 'oidc' && isOidc(connection)) {
      if (!attempt) throw new SsoFailed('SSO_STATE_UNKNOWN');
      // From our own address and not from the request's: the redirect URI is what the provider was told.
      const url = new URL(`${this.addresses.of(connection.id, 'callback')}?${answer.query.toString()}`);
      return this.oidc.finish(connection, { answer: url, state: answer.state, secrets: attempt.secrets });
    }
    if (answer.type === 'saml' && isSaml(connection))
      return this.saml.finish(connection, answer.response, attempt?.secrets.requestId);
    throw new ResourceNotFound('connection');
  }
}
