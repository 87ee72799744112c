import { expect, it } from 'vitest';
import { furnished } from '../support/access.js';
import { must } from '../support/client.js';
import { createDirectory, mustScim, person } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();

interface Listed {
  readonly changes?: { readonly rows?: number };
}

const rowsIn = async ({ api }: TestTenant, action: string): Promise<unknown[]> =>
  (await api.all<Listed>(`/v1/audit/events?action=${action}`)).map(({ changes }) => changes?.rows);

it('the event of a list says how many rows it has answered, of any kind of list', async () => {
  const [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
  await Promise.all([furnished(acme.api, 3), furnished(other.api, 1)]);
  for (const { api } of [acme, other]) {
    await must(api.get('/v1/agents?limit=2'), 200);
    const [agent] = (await must(api.get<{ items: { id: string }[] }>('/v1/agents'), 200)).items;
    await must(api.get(`/v1/agents/${agent?.id}`), 200);
  }
  expect((await rowsIn(acme, 'agent.listed')).toSorted((a, b) => Number(a) - Number(b))).toEqual([2, 3]);
  expect(await rowsIn(other, 'agent.listed')).toEqual([1, 1]);
  expect(await rowsIn(acme, 'agent.read')).toEqual([undefined]);

  const { scim } = await createDirectory(app, acme);
  for (let at = 0; at < 3; at += 1) await mustScim(scim.post('/Users', person()), 201);
  await mustScim(scim.get('/Users?count=2'), 200);
  const search = { schemas: ['urn:ietf:params:scim:api:messages:2.0:SearchRequest'], count: 3 };
  await mustScim(scim.post('/.search', search), 200);
  expect(await rowsIn(acme, 'scim_user.listed')).toEqual([2]);
  expect(await rowsIn(acme, 'scim.searched')).toEqual([3]);
});
