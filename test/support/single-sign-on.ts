import { expect } from 'vitest';
import type { ConnectionDto, CreateConnectionDto } from '../../src/federation/connections.dto.js';
import type { DomainDto } from '../../src/domains/domains.dto.js';
import type { FakeNameServer } from '../fakes/name-server.js';
import type { Page } from './browser.js';
import { client, must, type Client } from './client.js';
import { signIn, uniqueName, type Person, type TestTenant } from './tenants.js';

interface Place {
  readonly baseUrl: string;
}

/** A session of somebody who has just proved the password again. */
export async function steppedUp(
  app: Place,
  tenant: TestTenant,
  person: Person = tenant.owner,
): Promise<Client> {
  const session = client(app.baseUrl, (await signIn(app, tenant.slug, person)).accessToken);
  await must(session.post('/v1/auth/step-up', { password: person.password }), 200);
  return session;
}

/** A domain that nobody else has, in the DNS and verified. */
export async function verifiedDomain(session: Client, names: FakeNameServer): Promise<DomainDto> {
  const added = await must(
    session.post<DomainDto>('/v1/domains', { name: `${uniqueName('people')}.example` }),
    201,
  );
  await names.set(added.record.host, ['v=spf1 -all', added.record.value]);
  return must(session.post<DomainDto>(`/v1/domains/${added.id}/verify`), 200);
}

export async function activeConnection(
  session: Client,
  body: Omit<CreateConnectionDto, 'name'>,
): Promise<ConnectionDto> {
  const created = await must(
    session.post<ConnectionDto>('/v1/sso/connections', { name: uniqueName('connection'), ...body }),
    201,
  );
  return must(session.patch<ConnectionDto>(`/v1/sso/connections/${created.id}`, { state: 'active' }), 200);
}

/** An address of ours for a connection. */
export function ssoUrl(app: Place, tenant: TestTenant, connection: { id: string }, what: string): string {
  return `${app.baseUrl}/v1/sso/${tenant.id}/${connection.id}/${what}`;
}

export interface LoggedSignIn {
  readonly action: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly changes?: Readonly<Record<string, unknown>>;
}

/** What the log says of the last sign-in. */
export async function lastEvent(tenant: TestTenant, action: string): Promise<LoggedSignIn | undefined> {
  const { items } = await must(
    tenant.api.get<{ items: LoggedSignIn[] }>(`/v1/audit/events?limit=50&action=${action}`),
    200,
  );
  return items[0];
}

/** Why a sign-in was refused, which the log alone says. */
export async function refusedWith(tenant: TestTenant, page: Page): Promise<string | undefined> {
  expect(page.status).toBe(401);
  expect(page.body).toMatchObject({ code: 'SSO_FAILED' });
  const event = await lastEvent(tenant, 'session.created');
  expect(event?.outcome).toBe('denied');
  return event?.reason;
}
