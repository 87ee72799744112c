import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PolicyVersionDto } from '../../src/policies/policies.dto.js';
import { must, refusal } from '../support/client.js';
import { FREEZE, Policies } from '../support/policies.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const INVALID = { status: 400, code: 'INVALID_REQUEST' };

let acme: TestTenant;
let policies: Policies;

beforeAll(async () => {
  acme = await createTenant(app);
  policies = await Policies.of(app, acme);
});
beforeEach(() => policies.none());

describe('a text of policies', () => {
  const wrong: Readonly<Record<string, [text: string, told: RegExp]>> = {
    'that cannot be read': [
      `@id("a") forbid (principal, action, resource)\nwhen { context.ip = 1 };`,
      /^line 2, column 8: .*==/,
    ],
    'without a name': ['forbid (principal, action, resource);', /^policy 1: it needs a name/],
    'of which two have one name': [`${FREEZE}\n${FREEZE}`, /^policy 2 \(freeze\): its name/],
    'of an action that is not there': [
      `@id("a") forbid (principal, action == Action::"agent:fly", resource);`,
      /^line 1, column \d+: unrecognized action .*did you mean/,
    ],
    'of an attribute that is not there': [
      `@id("a") forbid (principal, action, resource) when { resource.enviroment == "x" };`,
      /attribute .*enviroment/,
    ],
    'of a label that may be missing': [
      `@id("a") forbid (principal, action == Action::"agent:read", resource is Agent) when { resource.environment == "x" };`,
      /environment/,
    ],
    'that can never apply': [
      `@id("a") forbid (principal, action == Action::"api_key:create", resource is Agent);`,
      /never|impossible|applicable/,
    ],
    "of the installation's actions": [
      `@id("a") forbid (principal, action == Action::"tenant:create", resource);`,
      /unrecognized action/,
    ],
    'that is a template': [`@id("a") forbid (principal == ?principal, action, resource);`, /templates/],
    'that calculates': [
      `@id("a") forbid (principal, action, resource) when { context.weekday + 1 > 6 };`,
      /it calculates/,
    ],
    'that lists cannot be filtered by': [
      `@id("a") forbid (principal, action == Action::"agent:read", resource is Agent) when { resource.tags == ["a"] };`,
      /lists cannot be filtered/,
    ],
    'that permits everything': [`@id("a") permit (principal, action, resource);`, /names its actions/],
    'that permits what is an Owner’s': [
      `@id("a") permit (principal, action == Action::"organisation:export", resource);`,
      /nobody but an Owner/,
    ],
    'that permits what is an Owner’s by a group of actions': [
      `@id("a") permit (principal, action in Action::"owner", resource);`,
      /nobody but an Owner/,
    ],
    'that is nested without end': [
      `@id("a") forbid (principal, action, resource) when { ${'('.repeat(5_000)}true${')'.repeat(5_000)} };`,
      /^line 1, column \d+: brackets are nested/,
    ],
    'that says nothing': ['// nothing', /no policy/],
  };

  it.each(Object.entries(wrong))('%s is refused with what to write instead', async (_what, [text, told]) => {
    const { status, body } = await policies.owner.post('/v1/access/policies', { text });
    expect({ status, code: body.code }).toEqual(INVALID);
    expect(body.errors?.map(({ pointer }) => pointer)).toContain('/text');
    expect(body.errors?.map(({ detail }) => detail).join('\n')).toMatch(told);
  });

  it('that is too long or of too many is refused', async () => {
    const many = Array.from({ length: 51 }, (_, at) => FREEZE.replace('freeze', `p-${at}`)).join('\n');
    for (const text of [many, `${FREEZE}${' '.repeat(33_000)}`, 7, null])
      expect(await refusal(policies.owner.post('/v1/access/policies', { text }))).toEqual(INVALID);
  });

  it('is a version that never changes, in the order of writing', async () => {
    const first = await policies.write(FREEZE);
    const second = await policies.write(FREEZE.replace('freeze', 'thaw'));
    expect(second.version).toBe(first.version + 1);
    const { items } = await must(
      policies.owner.get<{ items: PolicyVersionDto[] }>('/v1/access/policies?limit=2'),
      200,
    );
    expect(items.map(({ version }) => version)).toEqual([second.version, first.version]);
    const read = await must(
      policies.owner.get<PolicyVersionDto>(`/v1/access/policies/${first.version}`),
      200,
    );
    expect(read).toMatchObject({ text: FREEZE, inForce: false });
  });
});
