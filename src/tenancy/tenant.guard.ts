import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { isTenantId, type TenantId } from '../platform/database/index.js';
import { credentialOf } from '../platform/http/credential.js';
import { endpointOf } from '../platform/http/endpoint.js';
import { AppError, InvalidRequest } from '../platform/http/errors.js';
import { requireServed } from './tenant-status.js';
import { contextOf, type RequestContext, type RequestTenant } from '../platform/http/request-context.js';
import { bodyHashOf } from '../platform/http/body.js';
import type { Tenant } from './tenant.js';
import { TenantRegistry } from './tenant-registry.js';

/** The tenant that the request names in its header and the one that its credential belongs to are not the same. */
export class TenantMismatch extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'TENANT_MISMATCH';
  constructor() {
    super(
      'X-Tenant-Slug names another organisation than the credential belongs to. Leave it out, or correct it.',
    );
  }
}

const IDEMPOTENCY_KEY_TOO_LONG = {
  pointer: 'Idempotency-Key',
  detail: 'Idempotency-Key must be at most 255 characters long',
};
/** Anything else is no slug, and neither looked up nor remembered. */
const SLUG = /^[a-z][a-z0-9-]{1,38}[a-z0-9]$/;

/**
 * Finds out for whom a request is: from its credential, which carries its tenant, or from `X-Tenant-Slug`. Whether the
 * credential is genuine is for the authentication guard, which runs next.
 */
@Injectable()
export class TenantGuard implements CanActivate {
  constructor(private readonly tenants: TenantRegistry) {}

  canActivate(execution: ExecutionContext): boolean | Promise<boolean> {
    const http = execution.switchToHttp().getRequest<Request>();
    const response = execution.switchToHttp().getResponse<Response>();
    const request = contextOf(http);
    request.endpoint = endpointOf(execution);
    request.body = http.body as unknown;
    request.bodyHash = bodyHashOf(http);
    const idempotencyKey = http.headers['idempotency-key'];
    if (typeof idempotencyKey === 'string') {
      // A key that was cut could be another request's.
      if (idempotencyKey.length > 255) throw new InvalidRequest([IDEMPOTENCY_KEY_TOO_LONG]);
      request.idempotencyKey = idempotencyKey;
    }
    if (request.endpoint?.tenantInPath) return this.#inPath(request, response, http.params['tenant']);
    const credential = credentialOf(http);
    request.credential = credential;
    const owner = credential && 'tenant' in credential ? credential.tenant : undefined;
    const slug = http.headers['x-tenant-slug'];
    if (owner !== undefined && typeof slug !== 'object') {
      const owning = this.tenants.remembered(owner);
      const named = slug === undefined ? undefined : this.tenants.remembered(slug.toLowerCase());
      if (owning && (slug === undefined || named)) return decide({ request, response, owning, named, slug });
    }
    return this.#resolve(request, response, owner, slug);
  }

  /** A page of a provider leads here: what cookies the browser has for us says nothing of whom the page meant. */
  async #inPath(request: RequestContext, response: Response, named: unknown): Promise<boolean> {
    const name = typeof named === 'string' ? named.toLowerCase() : '';
    const byId = isTenantId(name) ? await this.tenants.byId(name) : undefined;
    const found = byId ?? (SLUG.test(name) ? await this.tenants.bySlug(name) : undefined);
    return decide({ request, response, owning: undefined, named: found, slug: name });
  }

  async #resolve(
    request: RequestContext,
    response: Response,
    owner: TenantId | undefined,
    slug: string | string[] | undefined,
  ): Promise<boolean> {
    const name = typeof slug === 'string' ? slug.toLowerCase() : '';
    const named = SLUG.test(name) ? await this.tenants.bySlug(name) : undefined;
    const owning = owner && (await this.tenants.byId(owner));
    return decide({ request, response, owning, named, slug });
  }
}

function decide({ request, response, owning, named, slug }: Found): boolean {
  const tenant = owning ?? named;
  if (named?.formerName) announceNewName(response, named, named.formerName);
  // One that is not there yet, or any more, is as good as none: its credentials are wrong, and it has no log.
  const exists = tenant && tenant.status !== 'creating' && tenant.status !== 'purging';
  // Nothing of a schema that is behind is touched, not even for its log: the refusal is in the installation's.
  if (exists && !tenant.behind) request.tenant = requestTenant(tenant);
  if (owning && slug !== undefined && named?.id !== owning.id) throw new TenantMismatch();
  if (exists) requireServed(tenant, request.endpoint);
  return true;
}

/** Whom the credential belongs to, and whom the header names. */
interface Found {
  readonly request: RequestContext;
  readonly response: Response;
  readonly owning: Tenant | undefined;
  readonly named: Tenant | undefined;
  readonly slug: string | string[] | undefined;
}

/** The former name still leads here: RFC 9745 says that it is deprecated, RFC 8594 until when it works. */
function announceNewName(
  response: Response,
  { slug }: Tenant,
  { since, until }: NonNullable<Tenant['formerName']>,
): void {
  response.setHeader('Deprecation', `@${Math.floor(since.getTime() / 1_000)}`);
  response.setHeader('Sunset', until.toUTCString());
  response.setHeader('X-Tenant-Slug', slug);
}

/** What a request carries of its tenant. */
export function requestTenant(tenant: Tenant): RequestTenant {
  const { id, slug, region, cell, rateLimits, networkRules, signInRules, requestBodies } = tenant;
  return { id, slug, region, cell, rateLimits, networkRules, signInRules, requestBodies };
}
