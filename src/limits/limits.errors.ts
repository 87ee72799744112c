import { AppError } from '../platform/http/errors.js';
import type { PolicyName } from './policies.js';

const WHOSE: Record<PolicyName, string> = {
  ip: 'from your address',
  tenant: 'of your organisation',
  'sign-in': 'to sign in from your address',
  'api-key': 'with this API key',
  'tenant-sign-in': 'to sign in to this organisation from your address',
};

export class RateLimited extends AppError {
  readonly kind = 'rate_limited';
  readonly code = 'RATE_LIMITED';
  constructor(policy: PolicyName) {
    super(
      `Too many requests ${WHOSE[policy]}. Wait as many seconds as Retry-After says, and send fewer: RateLimit-Policy names the limit "${policy}".`,
    );
  }
}

export class CountryNotAllowed extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'COUNTRY_NOT_ALLOWED';
  constructor() {
    super(
      'This organisation does not serve requests from your country. Its administrators can change its network rules.',
    );
  }
}

export class RulesLockOutCaller extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'RULES_LOCK_OUT_CALLER';
  constructor(country: string | undefined) {
    const from = country === undefined ? 'from a country that is not known' : `from ${country}`;
    super(
      `This very request comes ${from}, which these rules would refuse: you could not change them back. Allow it, or send them from elsewhere.`,
    );
  }
}

export class CountrySourceMissing extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'COUNTRY_SOURCE_MISSING';
  constructor() {
    super(
      'This installation cannot tell which country a request comes from: all would be unknown. Ask its operator to configure GEO_DATABASE or GEO_COUNTRY_HEADER.',
    );
  }
}
