import { hash, randomBytes } from 'node:crypto';
import { parseCookie, stringifySetCookie } from 'cookie';

/** For so long a sign-in may take, from its beginning to the provider's answer. */
export const ATTEMPT_SECONDS = 600;

/**
 * Ties a sign-in to the browser that began it, so that nobody is signed in by an answer that somebody else has sent for.
 * A cookie for each sign-in, named by its state: two tabs do not get into each other's way.
 */
export interface BrowserBinding {
  readonly hash: Buffer;
  readonly cookie: string;
}

/** A provider that answers with a form of its own page (SAML) is another site: browsers leave out what is not `None`. */
export function bindBrowser(state: string, sameSite: 'lax' | 'none'): BrowserBinding {
  const value = randomBytes(32).toString('base64url');
  const cookie = setCookie(state, value, sameSite, ATTEMPT_SECONDS);
  return { hash: hash('sha256', value, 'buffer'), cookie };
}

/** What the browser shows for a state; undefined where it shows nothing. */
export function boundBrowser(state: string, cookies: string | undefined): Buffer | undefined {
  const value = cookies === undefined ? undefined : parseCookie(cookies)[nameFor(state)];
  return value === undefined ? undefined : hash('sha256', value, 'buffer');
}

/** Takes the cookie of a sign-in away. */
export function unbindBrowser(state: string, sameSite: 'lax' | 'none'): string {
  return setCookie(state, '', sameSite, 0);
}

function setCookie(state: string, value: string, sameSite: 'lax' | 'none', maxAge: number): string {
  return stringifySetCookie({
    name: nameFor(state),
    value,
    path: '/',
    secure: true,
    httpOnly: true,
    sameSite,
    maxAge,
  });
}

function nameFor(state: string): string {
  return `__Host-waxell_sso_${hash('sha256', state, 'hex').slice(0, 16)}`;
}
