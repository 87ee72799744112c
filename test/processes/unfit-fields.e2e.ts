import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Problem } from '../../src/platform/http/problem.js';
import { publishedAgent } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, type Answer, type Client } from '../support/client.js';
import { createClient } from '../support/oauth.js';
import { OpenApiContract, type DocumentedRoute } from '../support/openapi-contract.js';
import { permissionOf, PERMISSIONS } from '../support/permissions.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';
import { UnfitFields, type UnfitBody } from '../support/unfit-fields.js';

let app: Application;
let acme: TestTenant;
let owner: Client;
let contract: OpenApiContract;
let unfit: UnfitFields;
/** What there is, by what stands before it in a path. */
let ids: Readonly<Record<string, string>>;

beforeAll(async () => {
  app = await startApplication();
  acme = await createTenant(app);
  owner = await steppedUp(app, acme);
  contract = await OpenApiContract.of(app.baseUrl);
  const agent = await publishedAgent(acme.api);
  const person = await createPerson(acme.api, 'Viewer');
  const directory = { name: 'people', kind: 'okta' };
  // Another organisation than the one that is called: what is set for it must not keep us out.
  const { id: tenants } = await createTenant(app);
  ids = {
    agents: agent.id,
    projects: agent.projectId,
    users: person.id,
    tenants,
    'oauth-clients': (await createClient(acme.api)).id,
    directories: (await must(owner.post<{ id: string }>('/v1/scim/directories', directory), 201)).id,
    policies: '1',
    rules: 'sign-in-failures',
  };
  unfit = new UnfitFields(contract, [person.id]);
});
afterAll(() => app.dispose());

/** Whoever may call it: a session that has just proved itself, the operator, or nobody in particular. */
function callerOf(route: DocumentedRoute): Client {
  const permission = permissionOf(route);
  if (permission === undefined) return client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
  const { grantee } = PERMISSIONS[permission];
  return grantee === 'operator' ? client(app.baseUrl, app.firstRun.operatorKey) : owner;
}

function pathOf({ path }: DocumentedRoute): string {
  return path.replaceAll(
    /(\w[\w-]*)\/\{\w+\}/g,
    (_all, of: string) => `${of}/${ids[of] ?? crypto.randomUUID()}`,
  );
}

/** What is wrong with an answer; nothing, where it is right. */
function faultOf({ documented, pointer }: UnfitBody, { status, body }: Answer<Problem>): string | undefined {
  const told = (body?.errors ?? []).map((error) => error.pointer);
  // Of an element it is often said in which list it stands.
  const named = told.includes(pointer) || told.includes(pointer.replace(/\/0$/, ''));
  const answer = `${status} ${body?.code ?? ''} ${told.join(' ')}`.trim();
  if (status >= 500) return answer;
  if (documented) return named ? `${answer}, which is documented as fitting` : undefined;
  return status === 400 && named ? undefined : `${answer}, and not 400 for that field`;
}

/** As it is at that moment, where a change has to say what it is meant for. */
async function sent(route: DocumentedRoute, { body }: UnfitBody): Promise<Answer<Problem>> {
  const [caller, path] = [callerOf(route), pathOf(route)];
  const answer = await caller.send<Problem>(route.method, path, { body });
  if (answer.status !== 428) return answer;
  const version = (await caller.get(path)).headers.get('etag') ?? '';
  return caller.send<Problem>(route.method, path, { body, headers: { 'if-match': version } });
}

/** How one field was answered; a fault names route, field and body. */
async function asked(route: DocumentedRoute, one: UnfitBody): Promise<{ fault?: string; status?: number }> {
  const value = one.value === undefined ? 'left out' : JSON.stringify(one.value);
  const what = `${route.method} ${route.path}, ${one.pointer} ${value}`;
  try {
    const answer = await sent(route, one);
    const fault = faultOf(one, answer);
    if (fault === undefined) return { status: answer.status };
    return { fault: `${what}: ${fault}, to ${JSON.stringify(one.body)}` };
  } catch (error) {
    // An answer that is not documented.
    return { fault: `${what}: ${String(error)}` };
  }
}

it(
  'a field that is left out, null or of another kind than is documented is refused by its name, on every route with a body',
  { timeout: 300_000 },
  async () => {
    const faults: string[] = [];
    let [bodies, taken] = [0, 0];
    for (const route of contract.routes) {
      const schema = route.operation.requestBody?.content['application/json']?.schema;
      if (!schema) continue;
      const before = bodies;
      for (const one of unfit.of(schema)) {
        const { fault, status = 0 } = await asked(route, one);
        bodies += 1;
        if (status >= 200 && status < 300) taken += 1;
        if (fault !== undefined) faults.push(fault);
      }
      if (bodies === before) faults.push(`${route.method} ${route.path} documents no field`);
    }
    process.stdout.write(`${bodies} bodies with one unfit field, of which ${taken} fit\n`);
    expect(faults).toEqual([]);
    expect(bodies).toBeGreaterThan(2_000);
    // Where null is documented the rest has to fit as well, or nobody has looked at it.
    expect(taken).toBeGreaterThan(20);
    expect(app.logs()).not.toMatch(/"level":(50|60)/);
  },
);
