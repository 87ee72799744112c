import type { AlertDto } from '../../src/alerts/alerts.dto.js';
import type { Application } from './application.js';
import { client, must, type Client } from './client.js';
import { eventually } from './eventually.js';
import type { TestTenant } from './tenants.js';

/** Fails to sign in so many times, for one account. */
export async function failToSignIn(
  app: Pick<Application, 'baseUrl'>,
  { slug }: Pick<TestTenant, 'slug'>,
  email: string,
  times = 5,
): Promise<void> {
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': slug });
  for (let at = 0; at < times; at += 1)
    await must(anyone.post('/v1/auth/login', { email, password: 'wrong' }), 401);
}

/** The alerts of a rule, as soon as there are so many. */
export function alertsOf(api: Client, rule: string, atLeast = 1): Promise<AlertDto[]> {
  return eventually(async () => {
    const found = await api.all<AlertDto>(`/v1/alerts?rule=${rule}`);
    if (found.length < atLeast) throw new Error(`There are ${found.length} alerts of ${rule} yet.`);
    return found;
  }, 30_000);
}

/** An alert of a tenant, raised by what was done to it. */
export async function raisedAlert(app: Pick<Application, 'baseUrl'>, tenant: TestTenant): Promise<AlertDto> {
  await failToSignIn(app, tenant, 'nobody@nowhere.example');
  const [alert] = await alertsOf(tenant.api, 'failed_logins.account');
  if (!alert) throw new Error('No alert was raised.');
  return alert;
}
