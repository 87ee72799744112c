import type { OrganisationDto } from '../../src/organisations/organisations.dto.js';
import { client, must, type Answer, type Client } from './client.js';
import { asSuperuser } from './embedded-database.js';
import type { RunningApplication } from './shared-application.js';
import { createPerson, type Person, type TestTenant } from './tenants.js';

export const SUSPENDED = { status: 403, code: 'TENANT_SUSPENDED' };
export const DELETING = { status: 403, code: 'TENANT_DELETING' };
export const REASON = 'The invoice is not paid.';

/** What the operator does to organisations. */
export class OperatorOf {
  readonly api: Client;

  constructor(app: RunningApplication) {
    this.api = client(app.baseUrl, app.firstRun.operatorKey);
  }

  entry(id: string): Promise<OrganisationDto> {
    return must(this.api.get<OrganisationDto>(`/v1/tenants/${id}`), 200);
  }

  suspend(id: string, reason = REASON): Promise<Answer<OrganisationDto>> {
    return this.api.post<OrganisationDto>(`/v1/tenants/${id}/suspend`, { reason });
  }

  resume(id: string): Promise<Answer<OrganisationDto>> {
    return this.api.post<OrganisationDto>(`/v1/tenants/${id}/resume`);
  }

  remove(id: string, body: object = {}): Promise<Answer<OrganisationDto>> {
    return this.api.send<OrganisationDto>('DELETE', `/v1/tenants/${id}`, { body });
  }

  restore(id: string): Promise<Answer<OrganisationDto>> {
    return this.api.post<OrganisationDto>(`/v1/tenants/${id}/restore`);
  }

  rename(id: string, version: number, body: object): Promise<Answer<OrganisationDto>> {
    return this.api.patch<OrganisationDto>(`/v1/tenants/${id}`, body, { 'if-match': `"${version}"` });
  }
}

export interface Logged {
  readonly action: string;
  readonly actor: { readonly type: string };
  readonly at: string;
  readonly changes?: Readonly<Record<string, unknown>>;
}

/** What an organisation finds in its own log of what the operator did to it. */
export async function told(api: Client): Promise<Logged[]> {
  const events = await api.all<Logged>('/v1/audit/events', 200);
  return events
    .filter(({ action, actor }) => action.startsWith('tenant.') && actor.type === 'operator')
    .filter(({ action }) => action !== 'tenant.created')
    .toReversed();
}

/** What the installation's own log has of an organisation. */
export async function installationLog(home: string, id: string): Promise<string[]> {
  return asSuperuser(home, 'us-east-1', async (database) => {
    const { rows } = await database.query<{ event: Buffer }>(
      `SELECT event FROM audit.events WHERE tenant = 't_0000000000000000' ORDER BY seq`,
    );
    return rows
      .map(
        ({ event }) =>
          JSON.parse(event.toString()) as { action: string; outcome: string; resource?: { id: string } },
      )
      .filter(({ resource, outcome }) => resource?.id === id && outcome === 'success')
      .map(({ action }) => action)
      .filter((action) => !action.endsWith('read'));
  });
}

/** Every way in: with a key, a token, a cookie, a password, a refresh token. Each gives status and code. */
export async function waysIn(
  baseUrl: string,
  tenant: TestTenant,
): Promise<Record<string, () => Promise<string>>> {
  const anyone = client(baseUrl, undefined, { 'x-tenant-slug': tenant.slug });
  const login = ({ email, password }: Person) =>
    anyone.post<{ accessToken: string; refreshToken: string }>('/v1/auth/login', { email, password });
  const signedIn = await login(tenant.owner);
  // Of whoever signs in again and again, the oldest sessions end.
  const another = await createPerson(tenant.api, 'Viewer');
  const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const token = client(baseUrl, signedIn.body.accessToken);
  const browser = client(baseUrl, undefined, { cookie });
  const said = async (answer: Promise<{ status: number; body: unknown }>): Promise<string> => {
    const { status, body } = await answer;
    return `${status} ${(body as { code?: string } | undefined)?.code ?? ''}`.trim();
  };
  return {
    key: () => said(tenant.api.get('/v1/me')),
    token: () => said(token.get('/v1/me')),
    cookie: () => said(browser.get('/v1/me')),
    password: () => said(login(another)),
  };
}
