import { timingSafeEqual } from 'node:crypto';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { AuthConfig } from '../platform/config/index.js';
import type { Credential } from '../platform/http/credential.js';
import { PUBLIC } from '../platform/http/endpoint.js';
import {
  contextOf,
  type Actor,
  type RequestContext,
  type RequestTenant,
} from '../platform/http/request-context.js';
import { signInRules } from '../sign-in/index.js';
import { AccessTokens } from './access-tokens.js';
import {
  AddressNotAllowed,
  AuthenticationRequired,
  CrossSiteRequest,
  InvalidCredential,
  SecondFactorMissing,
} from './auth.errors.js';
import { LastUse } from './last-use.js';
import { Principals, secretHash, type Authenticated } from './principals.js';
import { isBoundTo } from './session-binding.js';

const OPERATOR: Actor = Object.freeze({ type: 'operator', id: 'operator', roles: [] });
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Verifies the credential and says who acts. On public routes a credential is not looked at. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(
    private readonly principals: Principals,
    private readonly tokens: AccessTokens,
    private readonly lastUse: LastUse,
    private readonly config: AuthConfig,
  ) {}

  canActivate(execution: ExecutionContext): boolean | Promise<boolean> {
    const http = execution.switchToHttp().getRequest<Request>();
    const request = contextOf(http);
    if (request.endpoint?.permission === PUBLIC) return true;
    const { credential, tenant } = request;
    if (!credential) throw new AuthenticationRequired();
    if (credential.kind === 'api_key' && tenant?.id === credential.tenant) {
      const remembered = this.principals.remembered(credential.secret);
      if (remembered) {
        request.actor = this.#keyActor(tenant, remembered, request);
        return true;
      }
    }
    return this.#authenticate(credential, request, http);
  }

  async #authenticate(credential: Credential, request: RequestContext, http: Request): Promise<boolean> {
    request.actor = await this.#actor(credential, request, http);
    return true;
  }

  async #actor(credential: Credential, request: RequestContext, http: Request): Promise<Actor> {
    if (credential.kind === 'malformed') throw new InvalidCredential();
    if (credential.kind === 'operator') return this.#operator(credential.secret, request);
    const { tenant } = request;
    // A credential of a tenant that does not exist is as wrong as any other.
    if (!tenant || tenant.id !== credential.tenant) throw new InvalidCredential();
    switch (credential.kind) {
      case 'api_key': {
        const key = await this.principals.apiKey(tenant, credential.secret);
        return this.#keyActor(tenant, key, request);
      }
      case 'jwt': {
        const token = await this.#accessToken(tenant, credential.token);
        if (signInRules(tenant).bindTokens) requireBound(token, request, tenant);
        return this.#used(tenant, token.actor, request);
      }
      case 'session': {
        const session = await this.principals.session(tenant, credential.secret);
        requireBound(session, request, tenant);
        refuseCrossSite(http);
        return this.#used(tenant, session.actor, request);
      }
    }
  }

  async #accessToken(tenant: RequestTenant, token: string): Promise<Authenticated> {
    const remembered = this.principals.remembered(token);
    if (remembered) return remembered;
    const claims = await this.tokens.verify(token);
    if (claims.tenant !== tenant.id) throw new InvalidCredential();
    return this.principals.accessToken(tenant, token, claims);
  }

  #keyActor(tenant: RequestTenant, { actor, networks }: Authenticated, request: RequestContext): Actor {
    if (networks && !networks.has(request.ip)) {
      // Who was refused stands in the log.
      request.actor = actor;
      throw new AddressNotAllowed();
    }
    this.lastUse.note(tenant, 'api_key', actor.id);
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
