import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AuthConfig } from '../platform/config/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import type { Credential } from '../platform/http/credential.js';
import type { Actor, RequestContext, RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { signInRules } from '../sign-in/index.js';
import { AccessTokens } from './access-tokens.js';
import {
  AddressNotAllowed,
  CrossSiteRequest,
  DpopProofInvalid,
  InvalidCredential,
  SecondFactorMissing,
} from './auth.errors.js';
import { DpopProofs } from './dpop-proofs.js';
import { LastUse } from './last-use.js';
import type { Authenticated } from './authenticated.js';
import { Principals, secretHash } from './principals.js';
import { isBoundTo } from './session-binding.js';

const OPERATOR: Actor = Object.freeze({ type: 'operator', id: 'operator', roles: [] });
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Who acts by a credential, where it is genuine, and meant for this request. */
@Injectable()
export class Authenticate {
  constructor(
    private readonly principals: Principals,
    private readonly tokens: AccessTokens,
    private readonly proofs: DpopProofs,
    private readonly lastUse: LastUse,
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly config: AuthConfig,
  ) {}

  /** What was shown before and has not ended since: without waiting for anything. @throws as `actor` */
  remembered(request: RequestContext, http: Request): Actor | undefined {
    const { credential, tenant } = request;
    switch (credential?.kind) {
      case 'api_key': {
        const known = tenant?.id === credential.tenant && this.principals.remembered(credential.secret);
        return known ? this.#limited(tenant, known, request) : undefined;
      }
      case 'jwt': {
        const known = tenant?.id === credential.tenant && this.principals.remembered(credential.token);
        // What is bound to a key is shown with a proof, each with another.
        const bearer = credential.scheme !== 'dpop' && known && known.keyThumbprint === undefined;
        return bearer ? this.#byToken(tenant, known, request) : undefined;
      }
      case 'session': {
        const known = tenant?.id === credential.tenant && this.principals.remembered(credential.secret);
        return known ? this.#bySession(tenant, known, request, http) : undefined;
      }
      default:
        return undefined;
    }
  }

  /** @throws {InvalidCredential | AddressNotAllowed | CrossSiteRequest | DpopProofInvalid | SecondFactorMissing} */
  async actor(credential: Credential, request: RequestContext, http: Request): Promise<Actor> {
    if (credential.kind === 'malformed' || credential.kind === 'client') throw new InvalidCredential();
    if (credential.kind === 'operator') return this.#operator(credential.secret, request);
    const { tenant } = request;
    // A credential of a tenant that does not exist is as wrong as any other.
    if (!tenant || tenant.id !== credential.tenant) throw new InvalidCredential();
    switch (credential.kind) {
      case 'api_key':
        return this.#limited(tenant, await this.principals.apiKey(tenant, credential.secret), request);
      case 'directory': {
        const { actor } = await this.principals.directory(tenant, credential.secret);
        if (actor.tokenId !== undefined) this.lastUse.note(tenant, 'scim_token', actor.tokenId);
        return actor;
      }
      case 'transmitter': {
        const { actor } = await this.principals.transmitter(tenant, credential.secret);
        this.lastUse.note(tenant, 'transmitter', actor.id);
        return actor;
      }
      case 'jwt': {
        const { token, scheme } = credential;
        const found = await this.principals.accessToken(tenant, token, () => this.tokens.verify(token));
        if ((found.keyThumbprint !== undefined) !== (scheme === 'dpop')) throw new InvalidCredential();
        if (found.keyThumbprint !== undefined)
          await this.#requireKey(tenant, found.keyThumbprint, token, http);
        return this.#byToken(tenant, found, request);
      }
      case 'session':
        return this.#bySession(
          tenant,
          await this.principals.session(tenant, credential.secret),
          request,
          http,
        );
    }
  }

  #bySession(tenant: RequestTenant, session: Authenticated, request: RequestContext, http: Request): Actor {
    requireBound(session, request, tenant);
    refuseCrossSite(http);
    return this.#used(tenant, session.actor, request);
  }

  #byToken(tenant: RequestTenant, found: Authenticated, request: RequestContext): Actor {
    const { type, clientId } = found.actor;
    if (type === 'client' || clientId !== undefined) return this.#limited(tenant, found, request);
    if (signInRules(tenant).bindTokens) requireBound(found, request, tenant);
    return this.#used(tenant, found.actor, request);
  }

  /** The caller has the key that its token is bound to, and says so for this very request. */
  async #requireKey(tenant: RequestTenant, thumbprint: string, token: string, http: Request): Promise<void> {
    const proof = await this.proofs.read(http, token);
    if (proof?.keyThumbprint !== thumbprint) throw new DpopProofInvalid();
    await this.database.within(tenant, () =>
      this.work.bookkeeping('what was shown with the request is told by its event', () =>
        this.proofs.use(proof),
      ),
    );
  }

  #limited(tenant: RequestTenant, { actor, networks }: Authenticated, request: RequestContext): Actor {
    if (networks && !networks.has(request.ip)) {
      // Who was refused stands in the log.
      request.actor = actor;
      throw new AddressNotAllowed();
    }
    const { type, id, clientId = type === 'client' ? id : undefined } = actor;
    if (clientId !== undefined) this.lastUse.note(tenant, 'client', clientId);
    else if (type !== 'support') this.lastUse.note(tenant, 'api_key', id);
    return actor;
  }

  #used(tenant: RequestTenant, actor: Actor, request: RequestContext): Actor {
    if (actor.enrolmentOnly && !request.endpoint?.whileEnrolling) {
      // Who was refused stands in the log.
      request.actor = actor;
      throw new SecondFactorMissing();
    }
    if (actor.sessionId !== undefined) this.lastUse.note(tenant, 'session', actor.sessionId);
    return actor;
  }

  #operator(secret: string, request: RequestContext): Actor {
    const expected = this.config.operatorKeyHash;
    if (!expected || !timingSafeEqual(expected, secretHash(secret))) throw new InvalidCredential();
    // The operator stands outside every organisation, and sees none from inside.
    request.tenant = undefined;
    return OPERATOR;
  }
}

/** A stolen cookie, or token where the organisation asks for that, is of no use in another browser or place. */
function requireBound({ bound }: Authenticated, request: RequestContext, tenant: RequestTenant): void {
  if (!bound || !isBoundTo(bound, request, signInRules(tenant).binding)) throw new InvalidCredential();
}

/** Browsers send cookies with requests that other sites make; those are told by what browsers say of their origin. */
function refuseCrossSite(http: Request): void {
  if (SAFE_METHODS.has(http.method)) return;
  const site = http.headers['sec-fetch-site'];
  if (site !== undefined) {
    if (site === 'same-origin') return;
    throw new CrossSiteRequest();
  }
  const { origin, host } = http.headers;
  if (origin !== undefined && URL.canParse(origin) && new URL(origin).host === host) return;
  throw new CrossSiteRequest();
}
