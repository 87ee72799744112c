import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import {
  AccessTokens,
  Authenticate,
  InvalidCredential,
  LastUse,
  Principals,
  publicClientId,
} from '../auth/index.js';
import { AuthConfig } from '../platform/config/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, contextOf, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { AuthenticateClient } from './authenticate-client.js';
import { Form } from './form.js';
import { ClientRefused } from './oauth.errors.js';
import type { IntrospectionDto } from './oauth.dto.js';

const INACTIVE: IntrospectionDto = { active: false };

/** Says what an access token is worth at this moment: RFC 7662. To clients and keys of its own organisation, and of it alone. */
@Injectable()
export class IntrospectToken {
  constructor(
    private readonly authenticate: Authenticate,
    private readonly authenticateClient: AuthenticateClient,
    private readonly tokens: AccessTokens,
    private readonly principals: Principals,
    private readonly lastUse: LastUse,
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly config: AuthConfig,
  ) {}

  async execute(http: Request): Promise<IntrospectionDto> {
    const form = new Form(http);
    const tenant = await this.#asking(form, http);
    const answer = await this.#look(tenant, form.require('token'));
    auditDetails({
      changes: { active: answer.active, ...(answer.jti !== undefined && { tokenId: answer.jti }) },
    });
    return answer;
  }

  /** The organisation of whoever asks. */
  async #asking(form: Form, http: Request): Promise<RequestTenant> {
    const request = contextOf(http);
    const { credential, tenant } = request;
    if (credential?.kind === 'api_key' || credential?.kind === 'jwt') {
      request.actor = await this.authenticate.actor(credential, request, http);
      // What a person is shown by a page of ours is not for people to look into.
      if (!tenant || request.actor.type === 'user') throw new InvalidCredential();
      return tenant;
    }
    const proven = await this.authenticateClient.execute(form);
    if (!proven) throw new ClientRefused('CLIENT_UNKNOWN');
    await this.database.within(proven.tenant, () =>
      this.work.bookkeeping('what a client has shown is told by the event of what it asks', () =>
        proven.use(),
      ),
    );
    this.lastUse.note(proven.tenant, 'client', proven.client.id);
    return proven.tenant;
  }

  async #look(tenant: RequestTenant, token: string): Promise<IntrospectionDto> {
    try {
      const claims = await this.tokens.verify(token);
      if (claims.tenant !== tenant.id) return INACTIVE;
      // Verified once more where it is to be remembered: only what is heard meanwhile keeps it from that.
      await this.principals.accessToken(tenant, token, () => this.tokens.verify(token));
      const { expiresAt: exp, keyThumbprint: jkt } = claims;
      const shared = {
        active: true,
        iss: this.config.issuer,
        exp,
        token_type: jkt === undefined ? 'Bearer' : 'DPoP',
        ...(jkt !== undefined && { cnf: { jkt } }),
      };
      if (claims.kind === 'session') return { ...shared, sub: claims.userId };
      const client = publicClientId(tenant.id, claims.clientId);
      return {
        ...shared,
        sub: client,
        client_id: client,
        scope: claims.scopes.join(' '),
        jti: claims.tokenId,
      };
    } catch (error) {
      if (error instanceof InvalidCredential) return INACTIVE;
      throw error;
    }
  }
}
