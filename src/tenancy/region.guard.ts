import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { RegionConfig } from '../platform/config/index.js';
import { AppError, type RegionPlace } from '../platform/http/errors.js';
import { contextOf } from '../platform/http/request-context.js';

export class WrongRegion extends AppError {
  readonly kind = 'misdirected';
  readonly code = 'WRONG_REGION';
  override readonly region: RegionPlace;

  constructor(name: string, url: string | undefined) {
    super(
      `This organisation is served in ${name}, and not here. Send the request ${url ? `to ${url}` : 'to that region'}.`,
    );
    this.region = { name, ...(url !== undefined && { url }) };
  }
}

/**
 * Refuses what is for a tenant of a region that this process does not serve. 421 (RFC 9110, section 15.5.20) and never
 * a redirect: a client that follows one by itself either leaves the credential behind, and is told that it has none, or
 * sends it to a host that its user has not named. Nothing is passed on either: the body would have left its region.
 */
@Injectable()
export class RegionGuard implements CanActivate {
  constructor(private readonly regions: RegionConfig) {}

  canActivate(execution: ExecutionContext): boolean {
    const { tenant } = contextOf(execution.switchToHttp().getRequest<Request>());
    if (tenant) requireServedRegion(this.regions, tenant.region);
    return true;
  }
}

/** @throws {WrongRegion} unless this process serves the region */
export function requireServedRegion(regions: RegionConfig, region: string): void {
  if (!regions.serves(region)) throw new WrongRegion(region, regions.urlOf(region));
}
