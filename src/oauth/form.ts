import type { Request } from 'express';
import { unfitFields } from '../platform/http/unfit-values.js';
import { OAuthRequestInvalid } from './oauth.errors.js';

/** Paths whose bodies are forms, as RFC 6749, 7009 and 7662 have them. */
export const OAUTH_FORM_PATHS = /^\/oauth\/(?:token|revoke|introspect)$/;

const LONGEST_VALUE = 16_384;

/** The parameters of a request: each once, and none in the address, which is written into logs. */
export class Form {
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws {OAuthRequestInvalid} */
  constructor(request: Request) {
    if (request.originalUrl.includes('?'))
      throw new OAuthRequestInvalid('Send the parameters in the body, as a form: none in the address.');
    const body: unknown = request.body;
    this.#fields = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
    if (unfitFields(this.#fields).length > 0)
      throw new OAuthRequestInvalid('The form has names or values that are no text.');
    for (const [name, value] of Object.entries(this.#fields))
      if (typeof value !== 'string' || value.length > LONGEST_VALUE)
        throw new OAuthRequestInvalid(`Send the parameter ${name.slice(0, 50)} once, and not as long.`);
  }

  /** Undefined where it is not there, or empty, which RFC 6749 section 3.2 makes the same. */
  get(name: string): string | undefined {
    const value = Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  /** @throws {OAuthRequestInvalid} */
  require(name: string): string {
    const value = this.get(name);
    if (value === undefined) throw new OAuthRequestInvalid(`The parameter ${name} is missing.`);
    return value;
  }
}
