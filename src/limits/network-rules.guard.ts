import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { UNAUDITED } from '../platform/http/endpoint.js';
import { contextOf } from '../platform/http/request-context.js';
import { CallerCountry } from './caller-country.js';
import { NetworkAdmission } from './network-admission.js';

/** Refuses requests that a tenant's network rules do not let in, before any credential is looked at, as a firewall would. */
@Injectable()
export class NetworkRulesGuard implements CanActivate {
  readonly #header: string | undefined;

  constructor(
    country: CallerCountry,
    private readonly admission: NetworkAdmission,
  ) {
    this.#header = country.header;
  }

  canActivate(execution: ExecutionContext): true {
    const http = execution.switchToHttp().getRequest<Request>();
    const request = contextOf(http);
    if (this.#header !== undefined) {
      const value = http.headers[this.#header];
      // Absent, the edge was not passed or does not know; the address is that of a caller all the same.
      request.edgeCountry = typeof value === 'string' ? value : '';
    }
    const { tenant, credential, endpoint } = request;
    // The operator is in no tenant, whichever is named beside the key; probes and published documents tell of none.
    if (!tenant || credential?.kind === 'operator' || endpoint?.audit === UNAUDITED) return true;
    this.admission.require(tenant, request);
    return true;
  }
}
