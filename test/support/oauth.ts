import * as peer from 'openid-client';
import type { MeDto } from '../../src/auth/auth.dto.js';
import type { CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { client, must, type Client } from './client.js';
import { uniqueName } from './tenants.js';

/** An answer of an OAuth endpoint, whichever it is. */
export interface OAuthAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

type Fields = Readonly<Record<string, string>>;

/** As an application that was started here names itself: what is signed for it names it so. */
export function issuerOf(baseUrl: string): string {
  return baseUrl.replace('127.0.0.1', 'localhost');
}

/** A client that can do what Developers can, but for what is said. */
export function createClient(api: Client, body: object = {}): Promise<CreatedClientDto> {
  const usual = { name: uniqueName('client'), role: 'Developer', scopes: ['*:admin'] };
  return must(api.post<CreatedClientDto>('/v1/oauth-clients', { ...usual, ...body }), 201);
}

/** Sends a form as it is. */
export async function sendForm(
  url: string,
  fields: Fields | [name: string, value: string][],
  headers: Fields = {},
): Promise<OAuthAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });
  const text = await response.text();
  const body = text === '' ? {} : (JSON.parse(text) as OAuthAnswer['body']);
  return { status: response.status, headers: response.headers, body };
}

/** Asks for a token of a client. */
export function askToken(baseUrl: string, fields: Fields, headers: Fields = {}): Promise<OAuthAnswer> {
  return sendForm(`${baseUrl}/oauth/token`, { grant_type: 'client_credentials', ...fields }, headers);
}

/** `Authorization` of a client that shows its secret (RFC 6749 section 2.3.1). */
export function basic(id: string, secret: string): { authorization: string } {
  const joined = [id, secret].map(encodeURIComponent).join(':');
  return { authorization: `Basic ${Buffer.from(joined).toString('base64')}` };
}

export function basicOf({ clientId, clientSecret = '' }: CreatedClientDto): { authorization: string } {
  return basic(clientId, clientSecret);
}

/** A token that a client has asked for with its secret. */
export async function tokenOf(
  baseUrl: string,
  one: CreatedClientDto,
  fields: Fields = {},
  headers: Fields = {},
): Promise<string> {
  const { status, body } = await askToken(baseUrl, fields, { ...basicOf(one), ...headers });
  if (status !== 200) throw new Error(`No token: ${status} ${JSON.stringify(body)}`);
  return String(body['access_token']);
}

/** Whom a token belongs to. */
export function whoIs(baseUrl: string, token: string): Promise<MeDto> {
  return must(client(baseUrl, token).get<MeDto>('/v1/me'), 200);
}

/** Status and error of an answer, for tests that look at nothing else. */
export function saidOf({ status, body }: OAuthAnswer): { status: number; error: unknown } {
  return { status, error: body['error'] };
}

/** A client as a library of others' sees us, by what we publish. */
export function asPeer(
  baseUrl: string,
  { clientId, clientSecret }: Pick<CreatedClientDto, 'clientId' | 'clientSecret'>,
  authentication?: peer.ClientAuth,
): Promise<peer.Configuration> {
  return peer.discovery(new URL(issuerOf(baseUrl)), clientId, clientSecret, authentication, {
    algorithm: 'oauth2',
    execute: [peer.allowInsecureRequests],
  });
}
