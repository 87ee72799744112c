import { Injectable } from '@nestjs/common';
import type { RequestContext, RequestTenant } from '../platform/http/request-context.js';
import type { NetworkRules } from '../platform/http/tenant-rules.js';
import { CallerCountry } from './caller-country.js';
import { CountryNotAllowed } from './limits.errors.js';

/** Whether a tenant's network rules let a request in. */
@Injectable()
export class NetworkAdmission {
  constructor(private readonly country: CallerCountry) {}

  /** @throws CountryNotAllowed */
  require(
    { networkRules }: Pick<RequestTenant, 'networkRules'>,
    request: Pick<RequestContext, 'edgeCountry' | 'ip'>,
  ): void {
    if (networkRules && !letsIn(networkRules, this.country.of(request))) throw new CountryNotAllowed();
  }
}

export function letsIn({ mode, countries, unknown }: NetworkRules, country: string | undefined): boolean {
  if (country === undefined) return unknown === 'allow';
  return countries.includes(country) === (mode === 'allow');
}
