import type { Request } from 'express';

/** Paths whose bodies are forms: providers send them by way of the browser, or themselves. */
export const FORM_PATHS = /^\/v1\/sso\/[^/]{1,64}\/[^/]{1,64}\/(?:acs|logout|backchannel-logout)$/;

/** The parameters of an address as they were sent, so that signatures over them can be checked, and that there is one of each name. */
export function rawQuery(request: Request): string {
  const at = request.originalUrl.indexOf('?');
  return at < 0 ? '' : request.originalUrl.slice(at + 1);
}

export function parametersOf(request: Request): URLSearchParams {
  return new URLSearchParams(rawQuery(request));
}

/** A field of a form, where it was sent once. */
export function formField(body: unknown, name: string): string | undefined {
  const value: unknown =
    typeof body === 'object' && body !== null && Object.hasOwn(body, name)
      ? (body as Record<string, unknown>)[name]
      : undefined;
  return typeof value === 'string' ? value : undefined;
}
