import { expect, it } from 'vitest';
import { client, must } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant } from '../support/tenants.js';

const app = sharedApplication();
const operator = client(app.baseUrl, app.firstRun.operatorKey);
const ID = '01890000-0000-7000-8000-00000000000a';

interface Told {
  readonly id: string;
  readonly status: string;
  readonly waitsFor?: string;
}

it('an operation of a newer program is told to the operator as waiting for that, wherever it is read', async () => {
  const acme = await createTenant(app);
  const asOwner = <T extends object>(text: string, values: readonly unknown[]) =>
    asSuperuser(app.home, 'us-east-1', (database) => database.query<T>(text, [...values]));
  await asOwner(
    `INSERT INTO control.operations (id, kind, tenant, step, data, due_at)
      VALUES ($1, 'tenant.polish', $2, 'shine', '{}', now() - interval '10 minutes')`,
    [ID, acme.id],
  );
  const one = await must(operator.get<Told>(`/v1/tenants/${acme.id}/operations/${ID}`), 200);
  expect(one).toMatchObject({ id: ID, status: 'running' });
  expect(one.waitsFor).toMatch(/^A program that has the step "shine" of tenant\.polish, .* start a process/);
  const { items } = await must(operator.get<{ items: Told[] }>(`/v1/tenants/${acme.id}/operations`), 200);
  expect(items.map(({ id, waitsFor }) => [id, waitsFor])).toEqual([[ID, one.waitsFor]]);
  await asOwner('DELETE FROM control.operations WHERE id = $1', [ID]);
});
