import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AccessTokens, InvalidCredential, Sessions } from '../auth/index.js';
import { announce, TenantDatabase } from '../platform/database/index.js';
import { auditDetails } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { AuthenticateClient } from './authenticate-client.js';
import { Form } from './form.js';
import { ClientRefused, RevocationUnsupported } from './oauth.errors.js';

/** Ends a token before its time: RFC 7009. One that is not known, or not the caller's, is left as it is, and that is no error. */
@Injectable()
export class RevokeToken {
  constructor(
    private readonly authenticate: AuthenticateClient,
    private readonly tokens: AccessTokens,
    private readonly sessions: Sessions,
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
  ) {}

  async execute(http: Request): Promise<void> {
    const form = new Form(http);
    const token = form.require('token');
    if (token.startsWith('wxr_')) await this.sessions.revoke(token);
    else await this.#accessToken(form, token);
  }

  async #accessToken(form: Form, token: string): Promise<void> {
    const proven = await this.authenticate.execute(form);
    const claims = await this.tokens.verify(token).catch(unlessInvalid);
    if (claims?.kind === 'session') throw new RevocationUnsupported();
    if (!proven) throw new ClientRefused('CLIENT_UNKNOWN');
    const { tenant, client } = proven;
    const own = claims?.tenant === tenant.id && claims.clientId === client.id;
    await this.database.within(tenant, () =>
      this.work.run(async () => {
        await proven.use();
        if (own) await this.#revoke(claims.tokenId, claims.expiresAt);
      }),
    );
  }

  async #revoke(id: string, expiresAt: number): Promise<void> {
    auditDetails({ resource: { type: 'access_token', id } });
    await this.database.query({
      text: 'DELETE FROM oauth_revoked_tokens WHERE expires_at <= now()',
      values: [],
    });
    await this.database.query({
      text: 'INSERT INTO oauth_revoked_tokens (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING',
      values: [id, new Date(expiresAt * 1_000)],
    });
    await this.database.query(announce({ kind: 'oauth_token', tenant: '', id }));
  }
}

function unlessInvalid(error: unknown): undefined {
  if (error instanceof InvalidCredential) return undefined;
  throw error;
}
