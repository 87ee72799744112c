import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { BegunWebauthnDto, EnrolledDto, PasskeyOptionsDto } from '../../src/mfa/mfa.dto.js';
import {
  Authenticator,
  type CreationOptions,
  type Made,
  type RequestOptions,
  type Wrong,
} from './authenticator.js';
import { client, must, type Answer, type Client } from './client.js';
import { BROWSER, challenged, eventsOf, proveFactor } from './second-factors.js';
import { steppedUp } from './single-sign-on.js';
import type { Person, TestTenant } from './tenants.js';

interface Place {
  readonly baseUrl: string;
}

/** Somebody with a security key. */
export interface WithKey {
  readonly person: Person;
  readonly key: Authenticator;
  /** The session in which it was set up. */
  readonly session: Client;
  readonly factor: EnrolledDto;
}

/** A key in a browser on a page of ours: pages are of the public base URL, which names no address. */
export function newKey({ baseUrl }: Place, made?: Made): Authenticator {
  return new Authenticator(baseUrl.replace('127.0.0.1', 'localhost'), made);
}

export async function beginKey(session: Client): Promise<BegunWebauthnDto & { options: CreationOptions }> {
  const begun = await must(session.post<BegunWebauthnDto>('/v1/me/second-factors/webauthn/options'), 200);
  return begun as BegunWebauthnDto & { options: CreationOptions };
}

export async function enrolKey(
  session: Client,
  key: Authenticator,
  wrong: Wrong = {},
  name?: string,
): Promise<Answer<EnrolledDto>> {
  const { challenge, options } = await beginKey(session);
  const credential = await key.create(options, wrong);
  return session.post<EnrolledDto>('/v1/me/second-factors/webauthn', {
    challenge,
    credential,
    ...(name && { name }),
  });
}

/** Sets a key up, in a session that has proved the password again. */
export async function withKey(app: Place, tenant: TestTenant, person: Person, made?: Made): Promise<WithKey> {
  const session = await steppedUp(app, tenant, person);
  const key = newKey(app, made);
  return { person, key, session, factor: await must(enrolKey(session, key), 201) };
}

/** Signs in by password and key. */
export async function withPassword(
  app: Place,
  tenant: TestTenant,
  { person, key }: Pick<WithKey, 'person' | 'key'>,
  wrong: Wrong = {},
): Promise<Answer<TokensDto>> {
  const { challenge, webauthn } = await challenged(app, tenant, person);
  return proveFactor(app, challenge, { webauthn: key.get(webauthn as RequestOptions, wrong) });
}

export async function passkeyOptions(
  { baseUrl }: Place,
  slug: string,
): Promise<PasskeyOptionsDto & { webauthn: RequestOptions }> {
  const anyone = client(baseUrl, undefined, { 'x-tenant-slug': slug, ...BROWSER });
  const options = await must(anyone.post<PasskeyOptionsDto>('/v1/auth/passkey/options'), 200);
  return options as PasskeyOptionsDto & { webauthn: RequestOptions };
}

export function showPasskey(
  { baseUrl }: Place,
  challenge: string,
  webauthn: object,
  headers: Record<string, string> = BROWSER,
): Promise<Answer<TokensDto>> {
  return client(baseUrl, undefined, headers).post<TokensDto>('/v1/auth/passkey', { challenge, webauthn });
}

/** Signs in by the key alone. */
export async function withPasskey(
  app: Place,
  { slug }: TestTenant,
  key: Authenticator,
  wrong: Wrong = {},
): Promise<Answer<TokensDto>> {
  const { challenge, webauthn } = await passkeyOptions(app, slug);
  return showPasskey(app, challenge, key.get(webauthn, wrong));
}

/** Why the last one was refused. */
export async function lastReason(
  tenant: TestTenant,
  action = 'session.created',
): Promise<string | undefined> {
  const [event] = await eventsOf(tenant, action);
  return event?.outcome === 'denied' || event?.outcome === 'failure' ? event.reason : undefined;
}
