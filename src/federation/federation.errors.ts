import { AppError } from '../platform/http/errors.js';

/** Why a sign-in through a provider was refused: what the event says, and the connection's last error in words. */
export const REFUSALS = {
  SSO_STATE_UNKNOWN: 'The sign-in was not begun here, took longer than ten minutes, or was answered before.',
  SSO_BROWSER_OTHER: 'The sign-in was begun in another browser.',
  SSO_PROVIDER_ERROR: 'The provider has refused the sign-in.',
  SSO_PROVIDER_UNREACHABLE: 'The provider did not answer, or not as the standard says.',
  OIDC_CLIENT_REFUSED:
    'The provider does not take the client id with its secret: the secret may be wrong, or have expired.',
  OIDC_RESPONSE_INVALID: 'The answer of the provider, or its ID token, is not valid.',
  OIDC_HOSTED_DOMAIN: 'The account is of another Google Workspace (hd).',
  OIDC_DIRECTORY: 'The account is of another Entra ID directory (tid).',
  OIDC_GROUPS_UNAVAILABLE: 'The account has more groups than fit into a token, and they could not be read.',
  SSO_EMAIL_MISSING: 'The provider did not say which e-mail address the person has, or said two.',
  SSO_EMAIL_UNVERIFIED: 'The provider does not say that it has verified the e-mail address.',
  SSO_EMAIL_DOMAIN: 'The e-mail address is not of a domain that is verified for the organisation.',
  SSO_NO_ACCOUNT: 'The person has no account, and the connection adds none.',
  SSO_NOT_LINKED: 'The person has an account, and the connection links none.',
  SSO_ACCOUNT_DISABLED: 'The account is disabled.',
  SSO_OTHER_PERSON: 'Somebody else has signed in at the provider than whose session it is.',
  SSO_SECOND_FACTOR:
    'The person has a second factor here, and the provider does not say that it has asked for one.',
  SSO_NOT_ANEW: 'The provider does not say that the person has just proved who they are.',
  SSO_ROLE_ABOVE_CONNECTION: 'The account has a higher role than whoever set the connection.',
} as const;

export type Refusal = keyof typeof REFUSALS;

/** One sentence for the person, whatever it was; the event has the reason. */
export class SsoFailed extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'SSO_FAILED';
  override readonly auditCode: string;

  /** Said to administrators beside what the refusal means: our own words, or a code of the standards. */
  readonly detail: string | undefined;

  constructor(refusal: string, { detail, ...options }: ErrorOptions & { detail?: string | undefined } = {}) {
    super(
      'Signing in through your company did not work. Try again; if it stays, tell your administrator when it happened.',
      options,
    );
    this.auditCode = refusal;
    this.detail = detail;
  }
}

export class TooManyConnections extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_CONNECTIONS';
  constructor(limit: number) {
    super(`An organisation has at most ${limit} connections. Delete one that you do not need.`);
  }
}

/** Somebody's password is refused because there is this connection. */
export class ConnectionNeeded extends AppError {
  readonly kind = 'conflict';
  readonly code = 'CONNECTION_NEEDED';
  constructor() {
    super(
      'It is the last active connection, and a domain refuses passwords. Set ssoRequired of the domain to false first.',
    );
  }
}

export class BreakGlassUnfit extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'BREAK_GLASS_UNFIT';
  constructor() {
    super('Only active Owners who have a password can be named. Check each id of userIds.');
  }
}

export class ProviderUnreachable extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'PROVIDER_UNREACHABLE';
}

export class SsoBusy extends AppError {
  readonly kind = 'rate_limited';
  readonly code = 'SSO_BUSY';
  constructor() {
    super('Too many sign-ins are under way in this organisation. Repeat it in a few minutes.');
  }
}

export class LogoutTokenInvalid extends AppError {
  readonly kind = 'invalid';
  readonly code = 'LOGOUT_TOKEN_INVALID';
  override readonly auditCode: string;
  constructor(reason: string, options?: ErrorOptions) {
    super('The logout token or request is not valid.', options);
    this.auditCode = reason;
  }
}
