import { stringifySetCookie } from 'cookie';
import { SESSION_COOKIE } from '../platform/http/credential.js';

/** The `Set-Cookie` of a session; an age of 0 takes it away. */
export function sessionCookie(value: string, maxAge: number): string {
  return stringifySetCookie({
    name: SESSION_COOKIE,
    value,
    path: '/',
    secure: true,
    httpOnly: true,
    sameSite: 'lax',
    maxAge,
  });
}
