import { beforeEach, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, signIn, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const PATH = '/v1/audit/request-bodies';
const PHONE = '+4930901820';
let acme: TestTenant;
let globex: TestTenant;

beforeEach(async () => {
  [acme, globex] = [await createTenant(app), await createTenant(app)];
});

interface Told {
  readonly action: string;
  readonly outcome: string;
  readonly erased?: true;
  readonly personal?: { readonly body?: Record<string, unknown> };
}

/** The body of the latest event of an action that succeeded. */
async function bodyOf(api: Client, action: string): Promise<Record<string, unknown> | undefined> {
  const events = await api.all<Told>(`/v1/audit/events?action=${action}`);
  return events.find(({ outcome }) => outcome === 'success')?.personal?.body;
}

async function recorded(recording: string, withheld?: string[]): Promise<void> {
  const now = { recorded: recording, withheld: (withheld ?? []).map((name) => name.toLowerCase()) };
  expect(await must(acme.api.put(PATH, { recorded: recording, withheld }), 200)).toEqual(now);
  await eventually(async () => expect(await must(acme.api.get(PATH), 200)).toEqual(now), 1_000);
}

const addPerson = (api: Client): Promise<UserDto> => {
  const email = `${uniqueName('ann')}@people.example`;
  const body = { email, password: 'correct horse battery 4', phone: PHONE, role: 'Viewer' };
  return must(api.post<UserDto>('/v1/users', body), 201);
};

it('are recorded for an organisation that wants it, as it wants it, and for nobody else', async () => {
  expect(await must(acme.api.get(PATH), 200)).toEqual({ recorded: 'none', withheld: [] });
  await addPerson(acme.api);
  expect(await bodyOf(acme.api, 'user.created')).toBeUndefined();
  await recorded('redacted');
  for (const { api } of [acme, globex]) await addPerson(api);
  const without = { email: '[personal]', phone: '[personal]', password: '[redacted]', role: 'Viewer' };
  expect(await bodyOf(acme.api, 'user.created')).toEqual(without);
  expect(await bodyOf(globex.api, 'user.created')).toBeUndefined();
  await recorded('full');
  const ann = await addPerson(acme.api);
  expect(await bodyOf(acme.api, 'user.created')).toEqual({
    email: ann.email,
    phone: PHONE,
    password: '[redacted]',
    role: 'Viewer',
  });
  await recorded('none');
  await must(acme.api.post('/v1/projects', { name: 'p' }), 201);
  expect(await bodyOf(acme.api, 'project.created')).toBeUndefined();
  await verified(acme.api);
});

it('stand nowhere in clear, and are gone with the person whom they name', async () => {
  await recorded('full');
  const ann = await addPerson(acme.api);
  // Of nobody who is known: refused before there is anybody.
  const email = `${uniqueName('nobody')}@people.example`;
  const refused = { email, password: 'short', phone: PHONE, role: 'Viewer' };
  expect((await refusal(acme.api.post('/v1/users', refused))).status).toBe(400);
  const rows = await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query<{ event: Buffer }>('SELECT event FROM audit.events WHERE tenant = $1', [acme.id]),
  );
  expect(rows.rows.map(({ event }) => event.toString()).join('\n')).not.toContain(PHONE);
  const owner = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
  await must(owner.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
  const readable = async (): Promise<string> => JSON.stringify(await acme.api.all<Told>('/v1/audit/events'));
  expect(await readable()).toContain(PHONE);
  await must(owner.post(`/v1/users/${ann.id}/erasure`), 200);
  await eventually(async () => expect(await readable()).not.toContain(PHONE), 1_000);
  expect(await readable()).not.toContain(email);
  await verified(acme.api);
});

it('are recorded without the fields that the organisation names, however they are written', async () => {
  await recorded('full', ['description', 'Instructions']);
  await must(acme.api.post('/v1/projects', { name: 'p', description: 'of a patient' }), 201);
  expect(await bodyOf(acme.api, 'project.created')).toEqual({ name: 'p', description: '[redacted]' });
  await must(globex.api.put(PATH, { recorded: 'full' }), 200);
  await eventually(async () => {
    await must(globex.api.post('/v1/projects', { name: uniqueName('p'), description: 'of a patient' }), 201);
    expect(await bodyOf(globex.api, 'project.created')).toMatchObject({ description: 'of a patient' });
  }, 1_000);
  const told = await acme.api.all<{ changes?: object }>(
    '/v1/audit/events?action=audit_request_bodies.updated',
  );
  expect(told[0]?.changes).toEqual({ recorded: 'full', withheld: ['description', 'instructions'] });
  for (const withheld of [
    null,
    [null],
    ['x'.repeat(65)],
    [''],
    'name',
    Array.from({ length: 101 }, (_, at) => `f${at}`),
  ])
    expect((await refusal(acme.api.put(PATH, { recorded: 'full', withheld }))).status).toBe(400);
});

it('are for owners to decide on, and the decision is told', async () => {
  const admin = await createPerson(acme.api, 'Admin');
  const session = client(app.baseUrl, (await signIn(app, acme.slug, admin)).accessToken);
  expect(await refusal(session.put(PATH, { recorded: 'full' }))).toMatchObject({
    status: 403,
    code: 'PERMISSION_DENIED',
  });
  expect(await must(session.get(PATH), 200)).toEqual({ recorded: 'none', withheld: [] });
  expect((await refusal(acme.api.put(PATH, { recorded: 'everything' }))).status).toBe(400);
  await recorded('redacted');
  const told = await acme.api.all<Told & { changes?: object }>(
    '/v1/audit/events?action=audit_request_bodies.updated',
  );
  expect(told.find(({ outcome }) => outcome === 'success')?.changes).toEqual({ recorded: 'redacted' });
  expect(await must(globex.api.get(PATH), 200)).toEqual({ recorded: 'none', withheld: [] });
});
