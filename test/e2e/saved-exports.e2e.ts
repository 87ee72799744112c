import { hash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AuditPageDto } from '../../src/audit/audit.dto.js';
import type { AuditExportDto, AuditExportsDto } from '../../src/exports/exports.dto.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const PATH = '/v1/audit/exports';
const app = sharedApplication();
let acme: TestTenant;
let globex: TestTenant;

beforeAll(async () => {
  [acme, globex] = [await createTenant(app), await createTenant(app)];
});

const search = async (query: string): Promise<AuditPageDto> =>
  must(acme.api.get<AuditPageDto>(`/v1/audit/events?${query}`), 200);
const ready = (id: string): Promise<AuditExportDto> =>
  eventually(async () => {
    const found = await must(acme.api.get<AuditExportDto>(`${PATH}/${id}`), 200);
    if (found.status !== 'READY') throw new Error(`It is ${found.status}.`);
    return found;
  }, 30_000);

describe('the audit log, searched', () => {
  it('finds the event of a request by what the request was answered with', async () => {
    const answer = await acme.api.post('/v1/projects', { name: 'Found again' });
    const requestId = answer.headers.get('x-request-id') ?? '';
    const { id } = answer.body as unknown as { id: string };
    for (const query of [
      `requestId=${requestId}`,
      `resourceId=${id}`,
      `resourceType=project&resourceId=${id}&outcome=success&action=project.created&since=2026-01-01T00:00:00Z`,
    ])
      expect((await search(query)).items).toMatchObject([
        { action: 'project.created', resource: { type: 'project', id }, request: { id: requestId } },
      ]);
    for (const query of [
      `requestId=${requestId}&outcome=denied`,
      `resourceType=agent&resourceId=${id}`,
      `resourceId=${id}&until=2026-01-01T00:00:00Z`,
    ])
      expect((await search(query)).items).toEqual([]);
    const foreign = globex.api.get<AuditPageDto>(`/v1/audit/events?requestId=${requestId}`);
    expect((await must(foreign, 200)).items).toEqual([]);
  });

  it.each([
    'outcome=perhaps',
    'since=yesterday',
    'until=2026-13-01T00:00:00Z',
    'since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z',
    'cursor=bm90IGEgbnVtYmVy',
    `requestId=${'x'.repeat(201)}`,
    'actor=a&actor=b',
    'unknown=1',
  ])('refuses %s', async (query) => {
    expect(await refusal(acme.api.get(`/v1/audit/events?${query}`))).toEqual({
      status: 400,
      code: 'INVALID_REQUEST',
    });
  });
});

describe('an export of a search', () => {
  it('is ordered, written, and read with its digest; the log tells of each', async () => {
    const filter = { action: 'project.created' };
    await must(acme.api.post('/v1/projects', { name: '=1+1' }), 201);
    const ordered = await must(acme.api.post<AuditExportDto>(PATH, { format: 'csv', filter }), 202);
    expect(ordered).toMatchObject({ filter, format: 'csv' });
    const { events, bytes, sha256 } = await ready(ordered.id);
    const { headers, body } = await acme.api.get<string>(`${PATH}/${ordered.id}/content`);
    expect(hash('sha256', body)).toBe(sha256);
    expect(Buffer.byteLength(body)).toBe(bytes);
    expect(headers.get('repr-digest')).toBe(
      `sha-256=:${Buffer.from(sha256 ?? '', 'hex').toString('base64')}:`,
    );
    expect(headers.get('content-type')).toContain('text/csv');
    expect(body.split('\r\n')).toHaveLength((events ?? 0) + 2);
    const { items } = await must(acme.api.get<AuditExportsDto>(PATH), 200);
    expect(items.map(({ id }) => id)).toContain(ordered.id);
    const told = (await search(`resourceId=${ordered.id}`)).items.map(({ action }) => action);
    for (const action of ['requested', 'completed', 'read']) expect(told).toContain(`audit_export.${action}`);
    await must(acme.api.delete(`${PATH}/${ordered.id}`), 204);
    expect((await refusal(acme.api.get(`${PATH}/${ordered.id}/content`))).status).toBe(404);
  });

  it('is for administrators of its own organisation, and of a filter that there is', async () => {
    const { id } = await must(acme.api.post<AuditExportDto>(PATH, { format: 'jsonl' }), 202);
    await ready(id);
    for (const path of [`${PATH}/${id}`, `${PATH}/${id}/content`])
      expect((await refusal(globex.api.get(path))).status).toBe(404);
    expect((await refusal(globex.api.delete(`${PATH}/${id}`))).status).toBe(404);
    const viewer = await createPerson(acme.api, 'Viewer');
    const api = client(app.baseUrl, (await signIn(app, acme.slug, viewer)).accessToken);
    for (const refused of [
      api.get(`${PATH}/${id}/content`),
      api.get(PATH),
      api.post(PATH, { format: 'csv' }),
    ])
      expect((await refusal(refused)).status).toBe(403);
    for (const body of [
      {},
      { format: 'xml' },
      { format: 'csv', filter: { outcome: 'perhaps' } },
      { format: 'csv', filter: { unknown: 1 } },
      { format: 'csv', filter: [] },
      { format: 'csv', filter: { since: '2026-01-02T00:00:00Z', until: '2026-01-01T00:00:00Z' } },
    ])
      expect(await refusal(acme.api.post(PATH, body))).toEqual({ status: 400, code: 'INVALID_REQUEST' });
  });
});
