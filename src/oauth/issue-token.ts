import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { includedScopes, SCOPES } from '../access/index.js';
import {
  AccessTokens,
  DpopProofInvalid,
  DpopProofs,
  InvalidCredential,
  LastUse,
  Sessions,
  type DpopProof,
} from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { auditDetails, currentRequest } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { AuthenticateClient, type ProvenClient } from './authenticate-client.js';
import type { ClientEntity } from './client.entity.js';
import { Form } from './form.js';
import {
  ClientRefused,
  GrantTypeUnsupported,
  OAuthRequestInvalid,
  ProofRefused,
  RefreshRefused,
  ScopeRefused,
} from './oauth.errors.js';
import type { TokenAnswerDto } from './oauth.dto.js';

/** Gives out access tokens: to clients for themselves, and for the refresh tokens of people's sessions. */
@Injectable()
export class IssueToken {
  constructor(
    private readonly authenticate: AuthenticateClient,
    private readonly proofs: DpopProofs,
    private readonly tokens: AccessTokens,
    private readonly sessions: Sessions,
    private readonly lastUse: LastUse,
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
  ) {}

  async execute(http: Request): Promise<TokenAnswerDto> {
    const form = new Form(http);
    switch (form.require('grant_type')) {
      case 'client_credentials':
        return this.#toClient(form, http);
      case 'refresh_token':
        return this.#toSession(form, http);
      default:
        throw new GrantTypeUnsupported();
    }
  }

  async #toClient(form: Form, http: Request): Promise<TokenAnswerDto> {
    const proven = await this.authenticate.execute(form);
    if (!proven) throw new ClientRefused('CLIENT_UNKNOWN');
    const { tenant, client } = proven;
    auditDetails({ resource: { type: 'oauth_client', id: client.id } });
    const proof = await this.#proof(http);
    if (client.dpopBound && !proof) throw new ProofRefused();
    const scopes = grantedScopes(form.get('scope'), client);
    const answer = await this.database.within(tenant, () =>
      this.work.run(async () => {
        await proven.use();
        if (proof) await this.#use(proof);
        return this.#issue(proven, scopes, proof);
      }),
    );
    this.lastUse.note(tenant, 'client', client.id);
    return answer;
  }

  async #issue(
    { tenant, client }: ProvenClient,
    scopes: readonly string[],
    proof: DpopProof | undefined,
  ): Promise<TokenAnswerDto> {
    const tokenId = randomUUID();
    const left = client.expiresAt ? (client.expiresAt.getTime() - Date.now()) / 1_000 : Infinity;
    const seconds = Math.floor(Math.min(client.accessTokenMinutes * 60, left));
    const { id: clientId, epoch } = client;
    const keyThumbprint = proof?.keyThumbprint;
    const claims = { tenant: tenant.id, clientId, tokenId, scopes, epoch, keyThumbprint };
    auditDetails({ changes: { tokenId, scopes, seconds, ...(proof && { bound: true }) } });
    return {
      access_token: await this.tokens.issueToClient(claims, seconds),
      token_type: proof ? 'DPoP' : 'Bearer',
      expires_in: seconds,
      scope: scopes.join(' '),
    };
  }

  async #toSession(form: Form, http: Request): Promise<TokenAnswerDto> {
    auditDetails({ action: 'session.refreshed' });
    const refreshToken = form.require('refresh_token');
    if (
      currentRequest()?.credential?.kind === 'client' ||
      form.get('client_secret') ||
      form.get('client_assertion')
    )
      throw new OAuthRequestInvalid('Refresh tokens are of people, and of no client: send nothing of one.');
    if (form.get('scope') !== undefined) throw new ScopeRefused();
    const proof = await this.#proof(http);
    const key = proof && { keyThumbprint: proof.keyThumbprint, use: () => this.#use(proof) };
    const {
      accessToken,
      refreshToken: next,
      expiresIn,
    } = await this.sessions.refresh(refreshToken, key).catch((cause: unknown) => {
      throw cause instanceof InvalidCredential ? new RefreshRefused({ cause }) : cause;
    });
    return {
      access_token: accessToken,
      token_type: proof ? 'DPoP' : 'Bearer',
      expires_in: expiresIn,
      refresh_token: next,
    };
  }

  #proof(http: Request): Promise<DpopProof | undefined> {
    return this.proofs.read(http).catch(refused);
  }

  #use(proof: DpopProof): Promise<void> {
    return this.proofs.use(proof).catch(refused);
  }
}

function refused(cause: unknown): never {
  throw cause instanceof DpopProofInvalid ? new ProofRefused({ cause }) : cause;
}

/** Fewer than the client has, or, where nothing is asked for, all of them. @throws {ScopeRefused} */
function grantedScopes(asked: string | undefined, { scopes }: ClientEntity): readonly string[] {
  if (asked === undefined) return scopes;
  const wanted = [...new Set(asked.split(' '))];
  const own = new Set(includedScopes(scopes));
  const known = wanted.every((scope) => SCOPES.includes(scope));
  if (!known || !includedScopes(wanted).every((scope) => own.has(scope))) throw new ScopeRefused();
  return wanted;
}
