import { expect, it } from 'vitest';
import { isReadable, mayDo, type Asked } from '../../test/support/access-evaluator.js';
import {
  Draws,
  drawPerson,
  drawActor,
  drawCircumstances,
  drawPermission,
  drawPolicy,
  drawResource,
  drawResources,
  inCedar,
  TENANTS,
} from '../../test/support/access-worlds.js';
import { Authorizer, KEPT_BY_OWNERS } from './authorizer.js';
import { compilePolicies } from './compile-policies.js';
import { NO_POLICIES } from './policy-sets.js';
import { organisation } from './resource.js';

const CASES = Number(process.env['WAXELL_ACCESS_CASES'] ?? 2_000);
const SEED = Number(process.env['WAXELL_ACCESS_SEED'] ?? Math.floor(Math.random() * 1e9));
const CASES_OF_A_WORLD = 100;
/** A set of policies is read by Cedar for each person with grants: each asks a few times. */
const QUESTIONS_OF_A_PERSON = 10;
/** Beside whatever else the machine does. */
const LIMIT_MS = 60_000 + CASES * 10;
const authorizer = new Authorizer();

/** What policies do not apply to, as the documentation has it. */
function keptByOwner({ actor, permission }: Asked): boolean {
  return KEPT_BY_OWNERS.has(permission) && actor.roles.includes('Owner');
}

function world(draws: Draws, number: number) {
  const policies = Array.from({ length: draws.below(6) }, (_, at) => drawPolicy(draws, at));
  const compiled = compilePolicies(policies.map(inCedar).join('\n'), `world ${SEED} ${number}`, 1);
  return { policies, compiled, resources: drawResources(draws) };
}

it(
  `decides as an evaluator that knows nothing of Cedar, in ${CASES} cases of seed ${SEED}`,
  { timeout: LIMIT_MS },
  () => {
    const draws = new Draws(SEED);
    const outcomes = { allowed: 0, denied: 0 };
    const allowedTo = new Set<string>();
    const differing: unknown[] = [];
    for (let made = 0; made < CASES;) {
      const { policies, compiled, resources } = world(draws, made);
      let circumstances = drawCircumstances(draws);
      let actor = drawActor(draws, circumstances.at);
      for (let at = 0; at < CASES_OF_A_WORLD && made < CASES; at += 1, made += 1) {
        if (at % QUESTIONS_OF_A_PERSON === 0) {
          circumstances = drawCircumstances(draws);
          actor = drawActor(draws, circumstances.at);
        }
        const permission = drawPermission(draws, actor);
        const resource = drawResource(draws, permission, resources);
        const asked: Asked = { actor, permission, resource, circumstances };
        // As requests are decided: those of the operator have no organisation whose policies they were bound by.
        const bound = actor.tenant !== undefined;
        const { allowed } = authorizer.decide({ ...asked, policies: bound ? compiled : NO_POLICIES });
        const expected = mayDo(asked, keptByOwner(asked) ? [] : policies);
        outcomes[allowed ? 'allowed' : 'denied'] += 1;
        if (allowed) allowedTo.add(actor.type);
        if (allowed !== expected) differing.push({ asked, expected, policies: policies.map(inCedar) });
      }
    }
    expect(differing).toEqual([]);
    // All that acts is asked of, and allowed something.
    expect([...allowedTo].toSorted()).toEqual([
      'api_key',
      'client',
      'directory',
      'operator',
      'support',
      'transmitter',
      'user',
    ]);
    // Neither answer is the only one that is ever given.
    expect(Math.min(outcomes.allowed, outcomes.denied)).toBeGreaterThan(CASES / 20);
  },
);

it('filters lists to exactly the items that are decided to be readable', { timeout: LIMIT_MS }, () => {
  const draws = new Draws(SEED + 1);
  const kinds = { project: 'project:read', agent: 'agent:read', run: 'run:read' } as const;
  let partly = 0;
  for (let made = 0; made < CASES / 50; made += 1) {
    const { compiled, resources, policies } = world(draws, CASES + made);
    const circumstances = drawCircumstances(draws);
    const roles = [draws.one(['Member', 'Member', 'Viewer'])];
    const drawn = drawPerson(draws, circumstances.at);
    const actor = { ...drawn, roles, tenant: TENANTS[0] };
    for (const [kind, permission] of Object.entries(kinds)) {
      const question = {
        actor,
        permission,
        circumstances,
        policies: compiled,
        resource: organisation(TENANTS[0]),
      };
      const { condition } = authorizer.readable(question, kind as keyof typeof kinds);
      const rows = resources.filter(
        ({ tenant, project, agent }) =>
          tenant === TENANTS[0] && (kind === 'project' ? project && !agent : agent),
      );
      const listed = rows.filter((resource) => isReadable(condition, resource)).map(({ key }) => key);
      const items = rows
        .filter((resource) => authorizer.decide({ ...question, resource }).allowed)
        .map(({ key }) => key);
      expect({ listed, of: policies.map(inCedar) }).toEqual({ listed: items, of: policies.map(inCedar) });
      if (listed.length > 0 && listed.length < rows.length) partly += 1;
    }
  }
  // Some lists have a part of what there is.
  expect(partly).toBeGreaterThan(0);
});
