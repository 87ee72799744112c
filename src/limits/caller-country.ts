import { Inject, Injectable } from '@nestjs/common';
import { LimitsConfig } from '../platform/config/index.js';
import type { RequestContext } from '../platform/http/request-context.js';
import { isCountry } from './countries.js';
import { addressOf } from './network-of.js';

/** Which country an address is in. Adapter: a file in MaxMind's format (libs/infra/src/geo). */
export abstract class CountryLookup {
  /** ISO 3166-1 alpha-2; undefined where nobody knows. */
  abstract countryOf(address: string): string | undefined;
}

/** Which country a request comes from: as the edge in front says, or by its address. */
@Injectable()
export class CallerCountry {
  constructor(
    private readonly config: LimitsConfig,
    @Inject(CountryLookup) private readonly lookup: CountryLookup | null,
  ) {}

  /** Whether this installation can tell at all. */
  get known(): boolean {
    return this.config.countryHeader !== undefined || this.lookup !== null;
  }

  /** In lower case, the header of the edge; undefined where none is believed. */
  get header(): string | undefined {
    return this.config.countryHeader;
  }

  of({ edgeCountry, ip }: Pick<RequestContext, 'edgeCountry' | 'ip'>): string | undefined {
    // What an edge sends that is no country (Cloudflare: XX for unknown, T1 for Tor) is as good as nothing.
    const country = (edgeCountry ?? this.lookup?.countryOf(addressOf(ip)))?.toUpperCase();
    return country !== undefined && isCountry(country) ? country : undefined;
  }
}
