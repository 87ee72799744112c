import { hash, timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { AuthConfig } from '../platform/config/index.js';
import type { Credential } from '../platform/http/credential.js';
import { PUBLIC } from '../platform/http/endpoint.js';
import { contextOf, type Actor, type RequestContext } from '../platform/http/request-context.js';
import { AccessTokens } from './access-tokens.js';
import { AuthenticationRequired, CrossSiteRequest, InvalidCredential } from './auth.errors.js';
import { Principals, secretHash } from './principals.js';

const OPERATOR: Actor = Object.freeze({ type: 'operator', id: 'operator', roles: [] });
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Verifies the credential and says who acts. On public routes a credential is not looked at. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(
    private readonly principals: Principals,
    private readonly tokens: AccessTokens,
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
        request.actor = remembered.actor;
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
      case 'api_key':
        return (await this.principals.apiKey(tenant, credential.secret)).actor;
      case 'jwt': {
        const remembered = this.principals.remembered(credential.token);
        if (remembered) return remembered.actor;
        const claims = await this.tokens.verify(credential.token);
        if (claims.tenant !== tenant.id) throw new InvalidCredential();
        return (await this.principals.accessToken(tenant, credential.token, claims)).actor;
      }
      case 'session': {
        const session = await this.principals.session(tenant, credential.secret);
        const bound = session.fingerprint;
        if (!bound || !timingSafeEqual(bound, fingerprintOf(request))) throw new InvalidCredential();
        refuseCrossSite(http);
        return session.actor;
      }
    }
  }

  #operator(secret: string, request: RequestContext): Actor {
    const expected = this.config.operatorKeyHash;
    if (!expected || !timingSafeEqual(expected, secretHash(secret))) throw new InvalidCredential();
    // The operator stands outside every organisation, and sees none from inside.
    request.tenant = undefined;
    return OPERATOR;
  }
}

/** What a session is bound to: the browser, and the network it is in (/24 of IPv4, /48 of IPv6). */
export function fingerprintOf({ ip, userAgent }: Pick<RequestContext, 'ip' | 'userAgent'>): Buffer {
  const network =
    isIPv6(ip) && !ip.startsWith('::ffff:')
      ? ip.split(':').slice(0, 3).join(':')
      : ip.split('.').slice(0, 3).join('.');
  return hash('sha256', JSON.stringify([network, userAgent]), 'buffer');
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
