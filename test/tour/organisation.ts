import type { Answer } from './api.ts';
import { Caller } from './api.ts';
import type { Narrator } from './narrator.ts';

/** An organisation as its owner reaches it. */
export interface Organisation {
  readonly slug: string;
  readonly id: string;
  readonly owner: Caller;
}

/** What the walk through an organisation has made. */
export interface Made {
  readonly projectId: string;
  readonly agentId: string;
  readonly runId: string;
  readonly developer: Caller;
}

export const MODEL = { provider: 'demo', name: 'echo' } as const;

/** A member of an answer's body, as text; empty where there is none. */
export function text(answer: Answer, ...path: string[]): string {
  let value: unknown = answer.body;
  for (const name of path) value = (value as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

/** Signs a person in and makes an API key that can build and run agents, and nothing else. */
export async function developerKey(
  tell: Narrator,
  baseUrl: string,
  { slug, email, password }: { slug: string; email: string; password: string },
): Promise<Caller> {
  const door = new Caller(baseUrl, undefined, slug);
  const wrong = await door.post('/v1/auth/login', { email, password: `${password}!` });
  tell.check('a wrong password is refused with 401', wrong.status === 401, wrong.text);
  const signedIn = await door.post('/v1/auth/login', { email, password });
  const accessToken = tell.secret(text(signedIn, 'accessToken'));
  tell.secret(text(signedIn, 'refreshToken'));
  tell.show('POST /v1/auth/login', signedIn.text);
  tell.check(
    'the sign-in gives an access token and a session cookie',
    signedIn.status === 200 && /HttpOnly.*Secure/i.test(signedIn.headers.get('set-cookie') ?? ''),
    signedIn.text,
  );

  const owner = new Caller(baseUrl, accessToken);
  const scopes = ['project:write', 'agent:admin', 'run:write'];
  const created = await owner.post('/v1/api-keys', { name: 'tour', scopes });
  const key = tell.secret(text(created, 'key'));
  tell.show('POST /v1/api-keys', created.text);
  tell.check('the API key is shown once, by its prefix later', created.status === 201 && key !== '');
  const developer = new Caller(baseUrl, key);
  const refused = await developer.get('/v1/audit/events');
  tell.check('the key cannot read the audit log: no scope for it', refused.status === 403, refused.text);
  return developer;
}

/** A project, an agent in it, published, and one run of it, watched to its end. */
export async function buildAndRun(
  tell: Narrator,
  developer: Caller,
  wish: { instructions: string; model: Record<string, unknown>; input: string; answer: RegExp },
): Promise<Made> {
  const project = await developer.post('/v1/projects', { name: 'Support' });
  tell.show('POST /v1/projects', project.text);
  const projectId = text(project, 'id');
  const agent = await developer.post('/v1/agents', {
    projectId,
    name: 'Greeter',
    definition: { instructions: wish.instructions, model: wish.model },
  });
  tell.show('POST /v1/agents', agent.text);
  tell.check('the agent is a draft with an ETag', agent.status === 201 && agent.headers.has('etag'));
  const agentId = text(agent, 'id');
  const early = await developer.post(`/v1/agents/${agentId}/runs`, { input: wish.input });
  tell.check('a draft cannot run (409 AGENT_NOT_PUBLISHED)', text(early, 'code') === 'AGENT_NOT_PUBLISHED');
  const published = await developer.post(`/v1/agents/${agentId}/publish`, undefined, { 'If-Match': '"1"' });
  tell.check('publishing makes version 1', published.status === 200, published.text);

  const runId = await run(tell, developer, agentId, wish);
  return { projectId, agentId, runId, developer };
}

async function run(
  tell: Narrator,
  developer: Caller,
  agentId: string,
  wish: { input: string; answer: RegExp },
): Promise<string> {
  const key = { 'Idempotency-Key': 'tour-run' };
  const started = await developer.post(`/v1/agents/${agentId}/runs`, { input: wish.input }, key);
  const again = await developer.post(`/v1/agents/${agentId}/runs`, { input: wish.input }, key);
  const runId = text(started, 'id');
  tell.show('POST /v1/agents/{id}/runs', started.text);
  tell.check('the run is accepted (202)', started.status === 202, started.text);
  tell.check('the same Idempotency-Key gives the same run', text(again, 'id') === runId, again.text);

  let said = '';
  const types: string[] = [];
  for await (const { id, type, data } of developer.events(`/v1/runs/${runId}/events`)) {
    types.push(type);
    said += (data as { text?: string }).text ?? '';
    if (types.length <= 6 || type !== 'model.delta') tell.show(`event ${id}`, data, 120);
    else if (types.length === 7) tell.say('\u2026');
  }
  tell.check('the events end with run.completed', types.at(-1) === 'run.completed', types);
  const finished = await developer.get(`/v1/runs/${runId}`);
  const { output, usage } = finished.body as { output?: unknown; usage?: { outputTokens?: number } };
  tell.show('GET /v1/runs/{id}', { status: text(finished, 'status'), output, usage });
  tell.check('the stored output is what was streamed', output === said && wish.answer.test(said), output);
  tell.check('its tokens were counted', (usage?.outputTokens ?? 0) > 0, usage);
  return runId;
}
