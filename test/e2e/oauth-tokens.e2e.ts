import { decodeJwt } from 'jose';
import * as peer from 'openid-client';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CreatedClientDto } from '../../src/oauth/clients.dto.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import {
  asPeer,
  basic,
  basicOf,
  createClient,
  issuerOf,
  saidOf,
  sendForm,
  tokenOf,
  whoIs,
  type OAuthAnswer,
} from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const issuer = issuerOf(app.baseUrl);
const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
let acme: TestTenant;
let other: TestTenant;
let machine: CreatedClientDto;
let foreign: CreatedClientDto;

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
  [machine, foreign] = [await createClient(acme.api), await createClient(other.api)];
});

describe('a token of a client is dead within a second of when', () => {
  const path = ({ id }: CreatedClientDto): string => `/v1/oauth-clients/${id}`;
  const endings: Readonly<Record<string, (one: CreatedClientDto, token: string) => Promise<unknown>>> = {
    'its client is disabled': (one) => must(acme.api.patch(path(one), { status: 'disabled' }), 200),
    'its client is deleted': (one) => must(acme.api.delete(path(one)), 204),
    'its client gets another role': (one) => must(acme.api.patch(path(one), { role: 'Viewer' }), 200),
    'its client gets other scopes': (one) => must(acme.api.patch(path(one), { scopes: ['run:read'] }), 200),
    'it is revoked': async (one, token) => {
      const config = await asPeer(app.baseUrl, one);
      await peer.tokenRevocation(config, token);
    },
  };

  it.each(Object.entries(endings))('%s', async (_when, end) => {
    const one = await createClient(acme.api);
    const token = await tokenOf(app.baseUrl, one);
    expect((await whoIs(app.baseUrl, token)).client?.id).toBe(one.id);
    await end(one, token);
    await eventually(
      async () => expect(await refusal(client(app.baseUrl, token).get('/v1/me'))).toEqual(DEAD),
      1_000,
    );
  });

  it('and stays dead when the client is enabled again, which gets others', async () => {
    const one = await createClient(acme.api);
    const token = await tokenOf(app.baseUrl, one);
    await must(acme.api.patch(path(one), { status: 'disabled' }), 200);
    await must(acme.api.patch(path(one), { status: 'active' }), 200);
    await eventually(
      async () => expect(await refusal(client(app.baseUrl, token).get('/v1/me'))).toEqual(DEAD),
      1_000,
    );
    expect((await whoIs(app.baseUrl, await tokenOf(app.baseUrl, one))).client?.id).toBe(one.id);
  });

  it('only its own client revokes it, and others are told nothing of it', async () => {
    const one = await createClient(acme.api);
    const token = await tokenOf(app.baseUrl, one);
    const url = `${app.baseUrl}/oauth/revoke`;
    for (const { clientId, clientSecret = '' } of [machine, foreign])
      expect((await sendForm(url, { token }, basic(clientId, clientSecret))).status).toBe(200);
    expect(saidOf(await sendForm(url, { token }))).toEqual({ status: 401, error: 'invalid_client' });
    expect((await sendForm(url, { token: 'unknown' }, basicOf(machine))).status).toBe(200);
    expect((await whoIs(app.baseUrl, token)).client?.id).toBe(one.id);
  });
});

describe('introspection', () => {
  const inactive = { active: false };
  const look = (token: string, headers: Record<string, string>): Promise<OAuthAnswer> =>
    sendForm(`${app.baseUrl}/oauth/introspect`, { token }, headers);

  it('tells clients and keys of the same organisation what a token is worth', async () => {
    const subject = await createClient(acme.api, { scopes: ['agent:read'] });
    const token = await tokenOf(app.baseUrl, subject);
    const said = await peer.tokenIntrospection(await asPeer(app.baseUrl, machine), token);
    expect(said).toMatchObject({ active: true, client_id: subject.clientId, scope: 'agent:read' });
    expect(said).toMatchObject({ iss: issuer, token_type: 'Bearer', jti: decodeJwt(token).jti });
    const key = { authorization: `Bearer ${acme.apiKey}` };
    expect((await look(token, key)).body).toMatchObject({ active: true, sub: subject.clientId });
    const own = { authorization: `Bearer ${await tokenOf(app.baseUrl, machine)}` };
    expect((await look(token, own)).body).toMatchObject({ active: true });
    const { accessToken } = await signIn(app, acme.slug, acme.owner);
    expect((await look(accessToken, key)).body).toMatchObject({ active: true, sub: acme.owner.id });
    await must(acme.api.delete(`/v1/oauth-clients/${subject.id}`), 204);
    await eventually(async () => expect((await look(token, key)).body).toEqual(inactive), 1_000);
  });

  it('tells others nothing: unknown, expired and foreign tokens are alike', async () => {
    const foreignToken = await tokenOf(app.baseUrl, foreign);
    const short = await createClient(acme.api, { expiresAt: new Date(Date.now() + 2_000).toISOString() });
    const expired = await tokenOf(app.baseUrl, short);
    for (const token of [foreignToken, 'unknown', 'a.b.c', acme.apiKey])
      expect((await look(token, basicOf(machine))).body).toEqual(inactive);
    await eventually(
      async () => expect((await look(expired, basicOf(machine))).body).toEqual(inactive),
      5_000,
    );
    const refused = { status: 401, error: 'invalid_client' };
    expect(saidOf(await look(foreignToken, {}))).toEqual(refused);
    expect(saidOf(await look(foreignToken, basic(machine.clientId, 'wrong')))).toEqual(refused);
    const { accessToken } = await signIn(app, acme.slug, acme.owner);
    expect(saidOf(await look(accessToken, { authorization: `Bearer ${accessToken}` }))).toEqual(refused);
    const events = await acme.api.all<{ action: string }>('/v1/audit/events?action=token.introspected');
    expect(events.length).toBeGreaterThan(6);
    expect(JSON.stringify(events)).not.toContain(decodeJwt(foreignToken).jti);
  });
});

describe('a refresh token of a session', () => {
  const refresh = (token: string, headers: Record<string, string> = {}): Promise<OAuthAnswer> =>
    sendForm(`${app.baseUrl}/oauth/token`, { grant_type: 'refresh_token', refresh_token: token }, headers);

  it('is exchanged once; a second use ends the session', async () => {
    const person = await createPerson(acme.api, 'Developer');
    const first = await signIn(app, acme.slug, person);
    const config = await asPeer(app.baseUrl, { ...machine, clientId: 'any' }, peer.None());
    const next = await peer.refreshTokenGrant(config, first.refreshToken);
    expect((await whoIs(app.baseUrl, next.access_token)).user?.id).toBe(person.id);
    expect(saidOf(await refresh(first.refreshToken))).toEqual({ status: 400, error: 'invalid_grant' });
    await eventually(
      async () => expect(await refusal(client(app.baseUrl, next.access_token).get('/v1/me'))).toEqual(DEAD),
      1_000,
    );
    expect(saidOf(await refresh(next.refresh_token ?? ''))).toEqual({ status: 400, error: 'invalid_grant' });
  });

  it('is revoked by whoever holds it, with its session', async () => {
    const tokens = await signIn(app, acme.slug, await createPerson(acme.api, 'Viewer'));
    const url = `${app.baseUrl}/oauth/revoke`;
    expect(saidOf(await sendForm(url, { token: tokens.accessToken }))).toEqual({
      status: 400,
      error: 'unsupported_token_type',
    });
    for (let time = 0; time < 2; time += 1)
      expect((await sendForm(url, { token: tokens.refreshToken })).status).toBe(200);
    await eventually(
      async () => expect(await refusal(client(app.baseUrl, tokens.accessToken).get('/v1/me'))).toEqual(DEAD),
      1_000,
    );
  });

  it('is no business of a client, and has no scopes to choose', async () => {
    const { refreshToken } = await signIn(app, acme.slug, await createPerson(acme.api, 'Viewer'));
    expect(saidOf(await refresh(refreshToken, basicOf(machine)))).toEqual({
      status: 400,
      error: 'invalid_request',
    });
    const fields = { grant_type: 'refresh_token', refresh_token: refreshToken };
    const scoped = await sendForm(`${app.baseUrl}/oauth/token`, { ...fields, scope: 'agent:read' });
    expect(saidOf(scoped)).toEqual({ status: 400, error: 'invalid_scope' });
    expect((await refresh(refreshToken)).status).toBe(200);
  });
});
