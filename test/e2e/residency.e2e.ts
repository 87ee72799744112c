import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AgentDto, ProjectDto } from '../../src/agents/agents.dto.js';
import type { CreatedApiKeyDto } from '../../src/auth/auth.dto.js';
import { runIn, startRun } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must } from '../support/client.js';
import { asSuperuser, REGIONS, type Region } from '../support/embedded-database.js';
import { beginMove, operationEnded } from '../support/moves.js';
import { createTenant, signIn, uniqueName, type TestTenant } from '../support/tenants.js';
import { mentionsOf } from '../support/mentions.js';

const app = sharedApplication();
const tenants = new Map<Region, TestTenant>();
/** What an organisation of a region has put in, wherever a person can write something. */
const canaries = new Map<Region, Map<string, string>>();

beforeAll(async () => {
  for (const region of REGIONS) {
    const tenant = await createTenant(app, { region });
    tenants.set(region, tenant);
    canaries.set(region, await plant(tenant));
  }
});

const tenantOf = (region: Region): TestTenant => tenants.get(region) as TestTenant;
const otherThan = (region: Region): Region => (region === 'us-east-1' ? 'eu-west-1' : 'us-east-1');

/** Fills in everything that the API takes, and answers each text by what it is. */
async function plant({ id, slug, api, owner }: TestTenant): Promise<Map<string, string>> {
  const texts = new Map<string, string>([
    ['id', id],
    ["owner's e-mail", owner.email],
  ]);
  const text = (what: string): string => {
    const made = uniqueName(`canary-${what}`);
    texts.set(what, made);
    return made;
  };
  const project = await must(
    api.post<ProjectDto>('/v1/projects', { name: text('project'), description: text('project-text') }),
    201,
  );
  const agent = await must(
    api.post<AgentDto>('/v1/agents', {
      projectId: project.id,
      name: text('agent'),
      description: text('agent-text'),
      definition: { instructions: text('instructions'), model: { provider: 'demo', name: 'demo' } },
      apiKeys: { openai: `sk-${text('provider-key')}` },
    }),
    201,
  );
  await must(api.post(`/v1/agents/${agent.id}/publish`), 200);
  texts.set('agent id', agent.id);
  const run = await runIn(api, (await startRun(api, agent.id, { question: text('input') })).id);
  texts.set('run id', run.id);
  // Of nothing that is in the person's address or name.
  const person = { email: `${text('email')}@people.example`, password: `Aa1 ${randomUUID()}` };
  texts.set('password', person.password);
  await must(api.post('/v1/users', { ...person, displayName: text('display-name'), role: 'Admin' }), 201);
  await signIn(app, slug, person);
  const body = { name: text('key-name'), scopes: ['agent:read'] };
  const repeated = { 'idempotency-key': text('idempotency-key') };
  const key = await must(api.post<CreatedApiKeyDto>('/v1/api-keys', body, repeated), 201);
  await must(api.post<CreatedApiKeyDto>('/v1/api-keys', body, repeated), 201);
  texts.set('key id', key.id);
  await api.with({ 'user-agent': text('user-agent') }).post('/v1/projects', { wrong: text('wrong-body') });
  await api.get(`/v1/runs/${randomUUID()}`);
  return texts;
}

/** Each form in which a text could stand in a dump: as it is, as hexadecimal of its bytes, as base64. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  return [
    value,
    bytes.toString('hex'),
    bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64'),
  ];
}

/** Every row of every table of a region's database, the queue's and the registry's included, by the table's name. */
async function dump(region: Region): Promise<Map<string, string[]>> {
  return asSuperuser(app.home, region, async (database) => {
    const tables = await database.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const rows = new Map<string, string[]>();
    for (const { name } of tables.rows) {
      // Of an organisation that is purged in this moment the table is gone, and so is what it held.
      const found = await database
        .query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)
        .catch((error: unknown) => {
          if ((error as { code?: string }).code === '42P01') return { rows: [] };
          throw error;
        });
      rows.set(
        name,
        found.rows.map(({ row }) => row),
      );
    }
    return rows;
  });
}

/**
 * Names and contents of the files that a region keeps outside its database: keys and objects. A file that is written is
 * renamed when it is whole, so one that is gone between list and look has another name by now: the look begins anew.
 */
async function files(region: Region, looks = 5): Promise<Map<string, string>> {
  const home = region === 'us-east-1' ? app.home : join(app.home, 'cells', `${region}-c1`);
  const found = new Map<string, string>();
  for (const folder of ['kms', 'objects']) {
    const entries = await readdir(join(home, folder), { recursive: true, withFileTypes: true }).catch(
      () => [],
    );
    for (const entry of entries.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      try {
        found.set(path, await readFile(path, 'latin1'));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || looks === 1) throw error;
        return files(region, looks - 1);
      }
    }
  }
  return found;
}

/** Where a region's stores have something that was planted by a tenant: `what in where`. */
async function findings(planted: ReadonlyMap<string, string>, region: Region): Promise<string[]> {
  const found = new Set<string>();
  const look = (where: string, content: string): void => {
    for (const [what, value] of planted)
      if (formsOf(value).some((form) => content.includes(form))) found.add(`${what} in ${where}`);
  };
  // A log's periods are one table.
  for (const [table, rows] of await dump(region))
    for (const row of rows) look(table.replace(/^audit\.events_\d+$/, 'audit.events'), row);
  for (const [path, content] of await files(region)) look(path.replace(app.home, ''), `${path}\n${content}`);
  return [...found].sort();
}

const planted = (region: Region): Map<string, string> => canaries.get(region) as Map<string, string>;

it('finds what is stored in its own region, so that finding nothing elsewhere says something', async () => {
  for (const region of REGIONS) {
    const own = await findings(planted(region), region);
    for (const what of ['project', 'agent-text', 'instructions', 'key-name'])
      expect(own.filter((one) => one.startsWith(`${what} in`))).not.toEqual([]);
    expect(own).toContain(`run id in queue.job_common`);
    expect(own.some((one) => /^id in .*kms/.test(one))).toBe(true);
  }
});

describe('what people put in', () => {
  it('of the home region is nowhere in the other', async () => {
    expect(await findings(planted('us-east-1'), 'eu-west-1')).toEqual([]);
  });

  it('of the other region is nowhere in the home region but its id in registry and the installation’s own log', async () => {
    expect(await findings(planted('eu-west-1'), 'us-east-1')).toEqual([
      'id in audit.events',
      'id in control.key_schedules',
      'id in control.slugs',
      'id in control.tenants',
    ]);
  });

  it('is not in the installation’s log either, sealed or not: that tells of an organisation, and not of its owner', async () => {
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query<{ event: Buffer }>(
        `SELECT event FROM audit.events
         WHERE tenant = 't_0000000000000000' AND action = 'tenant.created' AND outcome = 'success'`,
      ),
    );
    const events = rows
      .map(({ event }) => JSON.parse(event.toString()) as { sealed?: string; resource: { id: string } })
      .filter(({ resource }) => REGIONS.some((region) => tenantOf(region).id === resource.id));
    expect(events.length).toBe(REGIONS.length);
    expect(events.filter(({ sealed }) => sealed !== undefined)).toEqual([]);
  });

  it('leaves a region with the organisation: of what moved nothing is left behind, and all is where it went', async () => {
    const operator = client(app.baseUrl, app.firstRun.operatorKey);
    for (const region of REGIONS) {
      const to = otherThan(region);
      const before = (await findings(planted(region), region)).map((one) => one.split(' in ')[0]);
      const { id } = await beginMove(operator, tenantOf(region).id, { region: to, confirmRegion: to });
      expect(await operationEnded(operator, tenantOf(region).id, id)).toMatchObject({ status: 'done' });
      const after = (await findings(planted(region), to)).map((one) => one.split(' in ')[0]);
      expect([...new Set(after)]).toEqual(expect.arrayContaining([...new Set(before)]));
    }
    // The condemned key, which opens nothing any more, still says whose it was until it is destroyed.
    const leftAtHome = await findings(planted('us-east-1'), 'us-east-1');
    expect(leftAtHome.filter((one) => !/^id in (.*kms|audit\.events|control\.)/.test(one))).toEqual([]);
    const leftAbroad = await findings(planted('eu-west-1'), 'eu-west-1');
    expect(leftAbroad.filter((one) => !/^id in .*kms/.test(one))).toEqual([]);
    expect(await mentionsOf(app.home, 'eu-west-1', tenantOf('eu-west-1').id)).toEqual([]);
    for (const file of (await files('eu-west-1')).values())
      if (file.includes(tenantOf('eu-west-1').id)) expect(file).toContain('"pending_deletion"');
  });
});
