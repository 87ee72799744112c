import { randomBytes } from 'node:crypto';
import type { Caller } from './api.ts';
import type { Narrator } from './narrator.ts';
import type { Made, Organisation } from './organisation.ts';
import { text } from './organisation.ts';

/** What the other organisation tries with its own, valid key and the ids of the first one's resources. */
export async function asNeighbour(
  tell: Narrator,
  neighbour: Caller,
  target: Organisation,
  made: Made,
): Promise<void> {
  const attempts: [string, string, unknown?][] = [
    ['GET', `/v1/agents/${made.agentId}`],
    ['PATCH', `/v1/agents/${made.agentId}`, { name: 'mine now' }],
    ['POST', `/v1/agents/${made.agentId}/publish`],
    ['POST', `/v1/agents/${made.agentId}/runs`, { input: 'hello' }],
    ['DELETE', `/v1/agents/${made.agentId}`],
    ['GET', `/v1/runs/${made.runId}`],
    ['GET', `/v1/runs/${made.runId}/events`],
    ['POST', `/v1/runs/${made.runId}/cancel`],
  ];
  for (const [method, path, body] of attempts) {
    const answer = await neighbour.send(method, path, body);
    const shown = path.replace(/[0-9a-f-]{36}/, '{its id}');
    tell.check(`${method} ${shown}: 404, as if it did not exist`, answer.status === 404, answer.text);
  }
  const created = await neighbour.post('/v1/agents', {
    projectId: made.projectId,
    name: 'Guest',
    definition: { instructions: 'x', model: { provider: 'demo', name: 'echo' } },
  });
  tell.check("an agent in the other's project: 404", created.status === 404, created.text);
  for (const list of ['projects', 'agents', 'runs', `agents?projectId=${made.projectId}`]) {
    const answer = await neighbour.get(`/v1/${list}`);
    const strange = [made.projectId, made.agentId, made.runId].some((id) =>
      answer.text.includes(`"id":"${id}"`),
    );
    tell.check(
      `GET /v1/${list.replace(/=.*/, '={its id}')} shows none of it`,
      answer.status === 200 && !strange,
    );
  }
  const named = await neighbour.get('/v1/agents', { 'X-Tenant-Slug': target.slug });
  tell.check(
    "its own key with the other's slug: 403 TENANT_MISMATCH",
    named.status === 403 && text(named, 'code') === 'TENANT_MISMATCH',
    named.text,
  );
}

/** SQL that would matter if any of it were read as SQL. */
function hostile(tenant: string): string[] {
  return [
    `' OR '1'='1`,
    `' UNION SELECT id::text, definition::text FROM "${tenant}".agents --`,
    `'; SET ROLE "${tenant}"; SELECT * FROM agents; --`,
    `') ; DROP TABLE agents CASCADE; --`,
    `1); SELECT set_config('role', '${tenant}', false); --`,
    `{"__proto__":{"tenant":"${tenant}"}}`,
    `\\'; SELECT pg_sleep(5); --`,
    `\u0000'; SELECT 1 --`,
  ];
}

/**
 * SQL in every string that the API takes: paths, queries, headers and bodies. None may be executed, none may make the
 * server fail, and what is allowed as a name comes back as it was sent.
 */
export async function inject(
  tell: Narrator,
  neighbour: Caller,
  target: Organisation,
  secret: string,
): Promise<void> {
  const own = await neighbour.post('/v1/projects', { name: 'Probe' });
  const projectId = text(own, 'id');
  const model = { provider: 'demo', name: 'echo' };
  const agent = (change: Record<string, unknown>): Record<string, unknown> => ({
    projectId,
    name: 'n',
    definition: { instructions: 'x', model },
    ...change,
  });
  const statuses = new Map<number, number>();
  const wrong: string[] = [];
  let sent = 0;
  for (const sql of hostile(target.id)) {
    const inUrl = encodeURIComponent(sql);
    // A header cannot carry a control character: the client refuses to send it.
    const header = sql.replaceAll('\u0000', '');
    const places: [string, string, unknown?, Record<string, string>?][] = [
      ['GET', `/v1/agents/${inUrl}`],
      ['GET', `/v1/runs/${inUrl}/events`],
      ...['cursor', 'limit', 'projectId'].map((q): [string, string] => ['GET', `/v1/agents?${q}=${inUrl}`]),
      ...['cursor', 'agentId', 'limit'].map((q): [string, string] => ['GET', `/v1/runs?${q}=${inUrl}`]),
      ...['action', 'actor', 'since', 'cursor'].map((q): [string, string] => [
        'GET',
        `/v1/audit/events?${q}=${inUrl}`,
      ]),
      ['GET', `/v1/agents?cursor=${Buffer.from(sql).toString('base64url')}`],
      ['POST', '/v1/projects', { name: sql, description: sql }],
      ['POST', '/v1/agents', agent({ name: sql, description: sql })],
      ['POST', '/v1/agents', agent({ projectId: sql })],
      ['POST', '/v1/agents', agent({ definition: { instructions: sql, model: { ...model, name: sql } } })],
      ['POST', '/v1/agents', agent({ definition: { instructions: 'x', model: { ...model, baseUrl: sql } } })],
      ['POST', '/v1/agents', agent({ apiKeys: { openai: sql } })],
      ['POST', '/v1/agents', agent({ [sql]: sql })],
      ['POST', '/v1/api-keys', { name: sql, scopes: ['run:read'] }],
      ['POST', '/v1/api-keys', { name: 'n', scopes: [sql] }],
      [
        'POST',
        '/v1/users',
        { email: `${sql}@x.example`, password: randomBytes(12).toString('hex'), role: 'Viewer' },
      ],
      ['POST', '/v1/auth/login', { email: 'a@b.example', password: sql }],
      ['POST', '/v1/auth/refresh', { refreshToken: sql }],
      ['GET', '/v1/me', undefined, { 'X-Tenant-Slug': header }],
      ['GET', '/v1/me', undefined, { Authorization: `Bearer ${header}` }],
      ['GET', '/v1/me', undefined, { 'X-Request-Id': header, 'User-Agent': header }],
      ['POST', '/v1/projects', { name: 'n' }, { 'Idempotency-Key': header }],
      ['PATCH', `/v1/agents/${projectId}`, { name: 'n' }, { 'If-Match': header }],
      ['GET', `/v1/runs/${projectId}/events`, undefined, { 'Last-Event-ID': header }],
    ];
    for (const [method, path, body, headers] of places) {
      const answer = await neighbour.send(method, path, body, headers);
      sent += 1;
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const stored = answer.status === 201 && text(answer, 'name');
      const changed = body !== undefined && stored && stored !== (body as { name?: string }).name;
      if (answer.status >= 500 || answer.text.includes(secret) || changed) {
        wrong.push(
          `${method} ${decodeURIComponent(path)} ${JSON.stringify(body ?? headers)}: ${answer.text}`,
        );
      }
    }
  }
  const counts = [...statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${count} \u00d7 ${status}`);
  tell.say(`${sent} requests with SQL in a string: ${counts.join(', ')}`);
  tell.check(
    'none was executed, none made the server fail, none came back changed',
    wrong.length === 0,
    wrong,
  );
}
