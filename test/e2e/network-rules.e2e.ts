import { expect, it } from 'vitest';
import type { NetworkRulesDto } from '../../src/limits/limits.dto.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant } from '../support/tenants.js';

const RULES = '/v1/organisation/network-rules';
const EVERYBODY = { mode: 'deny', countries: [], unknown: 'allow' };

it('an installation that cannot tell countries says so, and takes no rules', async () => {
  const { api } = await createTenant(sharedApplication());
  const rules = { mode: 'deny', countries: ['FR'], unknown: 'allow' };
  const answer = await api.put(RULES, rules);
  expect(answer.body).toMatchObject({ status: 422, code: 'COUNTRY_SOURCE_MISSING' });
  expect(answer.body.detail).toContain('GEO_DATABASE');
  expect((await api.put<NetworkRulesDto>(RULES, EVERYBODY)).body).toMatchObject(EVERYBODY);
});
