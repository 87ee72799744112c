import { gzipSync } from 'node:zlib';
import type { ProjectDto } from '../../src/agents/agents.dto.js';
import { describe, expect, it } from 'vitest';
import { createAgent, publishedAgent, readRun, startRun } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal } from '../support/client.js';
import { rawRequest } from '../support/raw-request.js';
import { createTenant, uniqueName } from '../support/tenants.js';

const app = sharedApplication();
const api = client(app.baseUrl, app.firstRun.apiKey);
const JSON_BODY = { 'content-type': 'application/json' };

const INVALID = { status: 400, code: 'INVALID_REQUEST' };
const MALFORMED = { status: 400, code: 'MALFORMED_BODY' };
const UNSUPPORTED = { status: 400, code: 'UNSUPPORTED_MEDIA_TYPE' };

describe('a body that is no JSON document', () => {
  it.each([
    ['is cut', '{"name":'],
    ['has single quotes', "{'name':'x'}"],
    ['is a bare word', 'name'],
    ['is a string', '"name"'],
    ['is a number', '1'],
    ['has a comment', '{"name":"x"/* */}'],
    ['is two documents', '{"name":"x"}{"name":"y"}'],
  ])('is refused when it %s', async (_what, text) => {
    expect(await refusal(api.sendText('POST', '/v1/projects', text, JSON_BODY))).toEqual(MALFORMED);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'text/json',
  ])('is refused as %s', async (type) => {
    const answer = api.sendText('POST', '/v1/projects', '{"name":"x"}', { 'content-type': type });
    expect(await refusal(answer)).toEqual(UNSUPPORTED);
  });

  it('is refused in another encoding than UTF-8', async () => {
    const utf16 = Buffer.from('{"name":"x"}', 'utf16le');
    const type = { 'content-type': 'application/json; charset=utf-16le' };
    expect(await refusal(api.sendText('POST', '/v1/projects', utf16, type))).toEqual(UNSUPPORTED);
    const latin1 = Buffer.from('{"name":"é"}', 'latin1');
    expect(await refusal(api.sendText('POST', '/v1/projects', latin1, JSON_BODY))).toEqual(UNSUPPORTED);
  });

  it('is refused when it is compressed, however small it looks', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, ' '));
    const headers = { ...JSON_BODY, 'content-encoding': 'gzip' };
    expect(await refusal(api.sendText('POST', '/v1/projects', bomb, headers))).toEqual(UNSUPPORTED);
  });
});

describe('a body of the wrong size or depth', () => {
  it.each([1_048_576, 10_000_000])('is refused with %i characters in it', async (length) => {
    const answer = api.post('/v1/projects', { name: 'x'.repeat(length) });
    expect(await refusal(answer)).toEqual({ status: 413, code: 'BODY_TOO_LARGE' });
  });

  it.each([
    ['arrays', '['.repeat(200_000) + ']'.repeat(200_000)],
    ['objects', '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000)],
  ])('is refused when its %s are nested beyond any sense', async (_what, input) => {
    const agent = await publishedAgent(api);
    const answer = api.sendText('POST', `/v1/agents/${agent.id}/runs`, `{"input":${input}}`, JSON_BODY);
    expect(await refusal(answer)).toEqual(INVALID);
  });
});

describe('a body of the wrong form', () => {
  it.each([
    ['nothing', undefined],
    ['an empty object', {}],
    ['an array', []],
    ['an array of the right object', [{ name: 'x' }]],
    ['a number for a text', { name: 1 }],
    ['an object for a text', { name: { toString: 'x' } }],
    ['an array for a text', { name: ['x'] }],
    ['null for a text', { name: null }],
    ['null for an optional text', { name: 'x', description: null }],
    ['an empty text', { name: '' }],
    ['a text that is too long', { name: 'x'.repeat(201) }],
    ['an unknown field', { name: 'x', nmae: 'y' }],
    ['a field of the answer', { name: 'x', id: '01890000-0000-7000-8000-000000000000' }],
    ['a field named like a method', { name: 'x', constructor: 'y' }],
    ['a field named like a method of objects', { name: 'x', hasOwnProperty: 'y' }],
  ])('is refused: %s', async (_what, body) => {
    expect(await refusal(api.post('/v1/projects', body))).toEqual(INVALID);
  });

  it('is refused by the pointer of every wrong field', async () => {
    const { body } = await api.post('/v1/agents', {
      projectId: 'x',
      name: '',
      definition: { instructions: 'x', model: { provider: 'skynet', name: 'x' }, limits: { no: 1 } },
    });
    const pointers = body.errors?.map(({ pointer }) => pointer);
    expect(pointers).toEqual(
      expect.arrayContaining(['/projectId', '/name', '/definition/model/provider', '/definition/limits/no']),
    );
  });

  it.each([
    '{"name":"x","__proto__":{"admin":true}}',
    '{"name":"x","__proto__":null}',
    '{"__proto__":{"name":"x"}}',
  ])('is refused when it reaches for a prototype: %s', async (text) => {
    expect(await refusal(api.sendText('POST', '/v1/projects', text, JSON_BODY))).toEqual(INVALID);
  });

  it('is refused when a text holds what no database can', async () => {
    for (const name of ['a\0b', '\0', 'a\ud800b', '\udc00']) {
      expect(await refusal(api.post('/v1/projects', { name }))).toEqual(INVALID);
      const model = { provider: 'demo', name: 'demo' };
      const definition = { instructions: name, model };
      const agent = { projectId: '01890000-0000-7000-8000-000000000000', name: 'x', definition };
      expect(await refusal(api.post('/v1/agents', agent))).toEqual(INVALID);
    }
  });

  it('is refused when a number is none that JSON can carry on', async () => {
    const agent = await publishedAgent(api);
    for (const input of ['1e999', '-1e999', '[1e400]']) {
      const path = `/v1/agents/${agent.id}/runs`;
      expect(await refusal(api.sendText('POST', path, `{"input":${input}}`, JSON_BODY))).toEqual(INVALID);
    }
  });

  it('keeps every other text and value as it is', async () => {
    const name = 'naïve 😀 日本語 \u202e \u0001 \ufffe \' " \\ ; -- %s ${x} {{x}}';
    const created = await must(api.post<ProjectDto>('/v1/projects', { name }), 201);
    expect(created.name).toBe(name);
    const agent = await publishedAgent(api);
    for (const input of [null, 0, -0.5, 1e308, '', [], {}, { a: { b: [null, name] } }]) {
      const run = await startRun(api, agent.id, input);
      expect(run.input).toEqual(input);
      expect((await readRun(api, run.id)).input).toEqual(input);
    }
  });
});

describe('a query of the wrong form', () => {
  it.each([
    'limit=0',
    'limit=201',
    'limit=-1',
    'limit=1.5',
    'limit=ten',
    'limit=',
    'limit=1&limit=2',
    'limit[]=1',
    'cursor=',
    'cursor=!!!',
    'cursor=JyBPUiAxPTE',
    'cursor[a]=b',
    'order=name',
    '__proto__=x',
    'constructor=x',
    'cursor=%00',
  ])('is refused: %s', async (query) => {
    for (const list of ['projects', 'agents', 'users', 'api-keys', 'runs', 'audit/events'])
      expect(await refusal(api.get(`/v1/${list}?${query}`))).toEqual(INVALID);
  });

  it.each([
    'since=yesterday',
    'since=2026-02-30T00:00:00Z',
    'since=2026-W10',
    'since=2026-366',
    'since=20260101',
    'since=-000001-01-01T00:00:00Z',
    'since=2026-01-01T25:00:00Z',
    'action=%00',
    'actor=%00',
  ])('of the audit log is refused: %s', async (query) => {
    expect(await refusal(api.get(`/v1/audit/events?${query}`))).toEqual(INVALID);
  });

  it.each(['after=-1', 'after=1e99', 'after=x', 'after=2147483648'])(
    'of a stream is refused: %s',
    async (query) => {
      const run = await startRun(api, (await publishedAgent(api)).id);
      expect(await refusal(api.get(`/v1/runs/${run.id}/events?${query}`))).toEqual(INVALID);
    },
  );
});

describe('a path or method that is not served', () => {
  it.each([
    '/v1',
    '/v1/',
    '/v1/nothing',
    '/v2/projects',
    '/v1/me/extra',
    '/v1/../v1/secrets',
    '/v1/agents/..%2f..%2fetc%2fpasswd/runs/x',
    '/.git/config',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/docs/../../package.json',
    '/v1/agents%00',
  ])('is not found: %s', async (path) => {
    const { status, text } = await rawRequest(`${app.baseUrl}${path}`, {});
    expect([status, (JSON.parse(text) as { status: number }).status]).toEqual([404, 404]);
  });

  it.each(['/v1/%', '/v1/agents/%E0%A4%A', '/v1/agents/%zz'])(
    'is refused where it cannot be decoded: %s',
    async (path) => {
      const { status } = await rawRequest(`${app.baseUrl}${path}`, {
        headers: [['Authorization', `Bearer ${app.firstRun.apiKey}`]],
      });
      expect([400, 404]).toContain(status);
    },
  );

  it.each(['PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND'])(
    'is not found with the method %s',
    async (method) => {
      const { status } = await rawRequest(`${app.baseUrl}/v1/projects`, {
        method,
        headers: [
          ['Authorization', `Bearer ${app.firstRun.apiKey}`],
          ['Content-Length', '0'],
        ],
      });
      expect(status).toBe(404);
    },
  );

  it.each([
    'x',
    '0',
    'null',
    '..',
    "1'%20OR%20'1'='1",
    '%2e%2e%2f',
    '00000000-0000-0000-0000-000000000000%20',
    '{00000000-0000-0000-0000-000000000000}',
    '%00',
    'a'.repeat(300),
  ])('is not found for what is no id: %s', async (id) => {
    const { status } = await rawRequest(`${app.baseUrl}/v1/agents/${id}/publish`, {
      method: 'POST',
      headers: [['Authorization', `Bearer ${app.firstRun.apiKey}`]],
    });
    expect([400, 404]).toContain(status);
  });
});

describe('headers of the wrong form', () => {
  it('are refused: If-Match that is no ETag', async () => {
    const { id } = await createAgent(api);
    for (const etag of ['3', 'abc', '"x"', '"1", "2"', '"99999999999999999999"'])
      expect(await refusal(api.patch(`/v1/agents/${id}`, { name: 'y' }, { 'if-match': etag }))).toEqual(
        INVALID,
      );
  });

  it('are refused: two credentials in one request', async () => {
    const bearer = (key: string) => ['Authorization', `Bearer ${key}`] as const;
    const { apiKey } = await createTenant(app, { slug: uniqueName('other') });
    const both = [bearer(app.firstRun.apiKey), bearer(apiKey)];
    const { status } = await rawRequest(`${app.baseUrl}/v1/me`, { headers: both });
    expect(status).toBe(401);
  });

  it('never become an event stream position that the stream does not know', async () => {
    const run = await startRun(api, (await publishedAgent(api)).id);
    const events = api.with({ 'last-event-id': '1; DROP TABLE runs' }).events(`/v1/runs/${run.id}/events`);
    expect((await events.next()).value).toMatchObject({ id: 1 });
    await events.return();
  });
});
