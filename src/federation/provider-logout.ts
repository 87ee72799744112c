import { Injectable } from '@nestjs/common';
import { SAML, type Profile } from '@node-saml/node-saml';
import * as client from 'openid-client';
import { Sessions } from '../auth/index.js';
import { FieldEncryption } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import type { Actor } from '../platform/http/request-context.js';
import { Log } from '../platform/observability/log.js';
import { Addresses } from './addresses.js';
import { isOidc, isSaml, type ConnectionEntity, type SamlConnection } from './connection.entity.js';
import { ConnectionStore } from './connection-store.js';
import { EndSessions } from './end-sessions.js';
import { LogoutTokenInvalid } from './federation.errors.js';
import { LogoutTokens } from './oidc/logout-token.js';
import { OidcClients } from './oidc/oidc-clients.js';
import type { LogoutHint } from './proven-person.js';
import { checkLogout, type LogoutMessage, type LogoutRequest } from './saml/check-logout.js';
import { KeepMetadata } from './saml/keep-metadata.js';
import { SamlRefused } from './saml/saml-refusals.js';

/** Signing out here and at the provider, whoever begins. */
@Injectable()
export class ProviderLogout {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly store: ConnectionStore,
    private readonly sessions: Sessions,
    private readonly endSessions: EndSessions,
    private readonly clients: OidcClients,
    private readonly tokens: LogoutTokens,
    private readonly metadata: KeepMetadata,
    private readonly addresses: Addresses,
    private readonly log: Log,
  ) {}

  /** Ends the caller's session, and says where the provider's is ended, if it was opened through one that can. */
  async ownSession(actor: Actor): Promise<string | undefined> {
    // The session ends whatever the provider offers, or does not answer.
    const url = await this.#logoutUrl(actor.sessionId).catch((error: unknown) => {
      this.log.warn(`a provider's logout address could not be made: ${String(error)}`);
      return undefined;
    });
    await this.sessions.end(actor);
    return url;
  }

  /** OpenID Connect Back-Channel Logout 1.0. @throws {LogoutTokenInvalid} */
  async backChannel(connectionId: string, token: unknown): Promise<void> {
    const connection = await this.store.active(connectionId);
    if (!isOidc(connection)) throw new LogoutTokenInvalid('LOGOUT_TOKEN_FORM');
    const { issuer, subject, sid, jti, until } = await this.tokens.check(connection, token);
    const sids = sid === undefined ? [] : [sid];
    await this.endSessions.execute(connection, {
      issuer,
      sids,
      once: { id: jti, until },
      ...(subject !== undefined && { subject }),
    });
  }

  /** Single logout that begins at the provider. @returns where the browser takes our response. @throws {LogoutTokenInvalid} */
  async singleLogout(connectionId: string, message: LogoutMessage, relayState: string): Promise<string> {
    const connection = await this.store.active(connectionId);
    if (!isSaml(connection)) throw new LogoutTokenInvalid('SAML_MALFORMED');
    const { settings } = connection;
    const request = await this.#checked(await this.metadata.current(connection), message).catch(
      (cause: unknown) => {
        throw cause instanceof SamlRefused ? new LogoutTokenInvalid(cause.refusal, { cause }) : cause;
      },
    );
    const ended = await this.endSessions.execute(connection, {
      issuer: settings.entityId,
      subject: request.nameId,
      sids: request.sessionIndexes,
      once: request,
    });
    if (settings.logoutUrl === undefined) return '/';
    const answered = { ID: request.id } as Profile;
    return this.#requester(connection).getLogoutResponseUrlAsync(answered, relayState, {}, ended > 0);
  }

  /** A provider that has replaced its certificate since: with the one that it publishes now. */
  async #checked(connection: SamlConnection, message: LogoutMessage): Promise<LogoutRequest> {
    const check = ({ id, settings, secrets }: SamlConnection): Promise<LogoutRequest> =>
      checkLogout(message, {
        keys: { certificates: settings.certificates, privateKey: secrets?.reveal().privateKey ?? '' },
        issuer: settings.entityId,
        destination: this.addresses.of(id, 'logout'),
        now: new Date(),
      });
    try {
      return await check(connection);
    } catch (error) {
      if (!(error instanceof SamlRefused) || error.refusal !== 'SAML_SIGNATURE_INVALID') throw error;
      const renewed = await this.metadata.otherCertificates(connection);
      if (!renewed) throw error;
      return check(renewed);
    }
  }

  async #logoutUrl(sessionId: string | undefined): Promise<string | undefined> {
    if (sessionId === undefined) return undefined;
    const [row] = await this.database.query<{ connection_id: string; hint: Buffer | null }>({
      text: 'SELECT connection_id, hint FROM federated_sessions WHERE id = $1',
      values: [sessionId],
    });
    if (!row?.hint) return undefined;
    const place = { table: 'federated_sessions', column: 'hint', row: sessionId };
    const hint = (await this.encryption.openJson(currentTenant(), place, row.hint)) as LogoutHint;
    return this.#endAt(await this.store.find(row.connection_id), hint);
  }

  async #endAt(connection: ConnectionEntity, hint: LogoutHint): Promise<string | undefined> {
    if (isOidc(connection) && 'idToken' in hint) {
      const configuration = await this.clients.of(connection);
      if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined;
      const parameters = {
        id_token_hint: hint.idToken,
        post_logout_redirect_uri: `${this.addresses.baseUrl}/`,
      };
      return client.buildEndSessionUrl(configuration, parameters).href;
    }
    if (!isSaml(connection) || !('nameId' in hint) || connection.settings.logoutUrl === undefined)
      return undefined;
    const { nameId: nameID, format: nameIDFormat, sessionIndex } = hint;
    const profile = { nameID, nameIDFormat, sessionIndex } as Profile;
    return this.#requester(connection).getLogoutUrlAsync(profile, '', {});
  }

  #requester({ id, settings, secrets }: SamlConnection): SAML {
    return new SAML({
      entryPoint: settings.signOnUrl,
      logoutUrl: settings.logoutUrl,
      issuer: this.addresses.of(id, 'metadata'),
      callbackUrl: this.addresses.of(id, 'acs'),
      idpCert: [...settings.certificates],
      privateKey: secrets?.reveal().privateKey,
      signatureAlgorithm: 'sha256',
    });
  }
}
