import { inflateRawSync } from 'node:zlib';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import { startFakeNameServer, type OwnNameServer } from '../fakes/name-server.js';
import { encode, SamlIdp } from '../fakes/saml-idp.js';
import { startApplication, type Application } from '../support/application.js';
import { Browser, type Page } from '../support/browser.js';
import { must } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { activeConnection, ssoUrl, steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

/** What a first sign-in through a provider writes, in this order; the last is its event. */
const WRITES = ['users', 'federated_identities', 'sessions', 'refresh_tokens', 'federated_sessions'] as const;
const EVENT = 'audit.outbox';
/** At its event and at another of its writes, drawn anew; at each of them where that is asked for. */
const KILLED_AT =
  process.env['WAXELL_EVERY_KILL'] === 'true'
    ? [...WRITES, EVENT]
    : [WRITES[Math.floor(Math.random() * WRITES.length)] ?? WRITES[0], EVENT];

let app: Application;
let names: OwnNameServer;
let idp: SamlIdp;
let acme: TestTenant;
let globex: TestTenant;
let domain: string;
let connection: ConnectionDto;

beforeAll(async () => {
  [names, idp] = [await startFakeNameServer(), await SamlIdp.create()];
  app = await startApplication({ env: { DNS_SERVERS: names.server } });
  [acme, globex] = [await createTenant(app), await createTenant(app)];
  const owner = await steppedUp(app, acme);
  ({ name: domain } = await verifiedDomain(owner, names));
  connection = await activeConnection(owner, {
    type: 'saml',
    saml: { metadataXml: idp.metadata('https://idp.invalid') },
    provisioning: true,
  });
});
afterAll(async () => {
  await app.dispose();
  await names.close();
});

/** To the provider, and what it answers; sent with the function that is returned. */
async function begun(name: string): Promise<() => Promise<Page>> {
  const browser = new Browser();
  const { location = '' } = await browser.get(ssoUrl(app, acme, connection, 'start'));
  const query = new URL(location).searchParams;
  const request = inflateRawSync(Buffer.from(query.get('SAMLRequest') ?? '', 'base64')).toString();
  const attribute = (of: string): string => new RegExp(` ${of}="([^"]+)"`).exec(request)?.[1] ?? '';
  // As the application names itself, which is not by the number that it is called by here.
  const acsUrl = attribute('AssertionConsumerServiceURL');
  const answer = idp.signed({
    acsUrl,
    audience: acsUrl.replace(/acs$/, 'metadata'),
    requestId: attribute('ID'),
    nameId: name,
    attributes: { email: [`${name}@${domain}`] },
  });
  const fields = { SAMLResponse: encode(answer), RelayState: query.get('RelayState') ?? '' };
  return () => browser.post(ssoUrl(app, acme, connection, 'acs'), fields);
}

/** How many rows there are of each, of both organisations, and sign-ins in the log. */
async function counted(): Promise<Record<string, number>> {
  const count = async (database: pg.Client, table: string): Promise<[string, number]> => {
    const { rows } = await database.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM ${table}`,
    );
    return [table, rows[0]?.count ?? -1];
  };
  const tables = [acme, globex].flatMap(({ id }) => WRITES.map((table) => `${id}.${table}`));
  const rows = await asSuperuser(app.home, 'us-east-1', async (database) => {
    const found: [string, number][] = [];
    for (const table of tables) found.push(await count(database, table));
    return found;
  });
  const events = await acme.api.all<{ outcome: string }>('/v1/audit/events?action=session.created', 200);
  return {
    ...Object.fromEntries(rows),
    signIns: events.filter(({ outcome }) => outcome === 'success').length,
  };
}

/** Has a sign-in stop where it writes to a table, and kills the process there. */
async function killedAt(table: string, finish: () => Promise<Page>): Promise<void> {
  await asSuperuser(app.home, 'us-east-1', async (database) => {
    // It ends with the database's server, which ends with the process.
    database.on('error', () => undefined);
    await database.query('BEGIN');
    await database.query(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
    const answer = finish().catch(() => undefined);
    await eventually(async () => {
      const { rows } = await database.query(
        `SELECT 1 FROM pg_locks WHERE relation = '${table}'::regclass AND NOT granted`,
      );
      expect(rows).toHaveLength(1);
    }, 20_000);
    await app.kill9();
    expect(await answer).toBeUndefined();
  }).catch((error: unknown) => {
    if (!/terminat|ECONN|closed/i.test(String(error))) throw error;
  });
  await eventually(async () => expect(await app.processesOnHome()).toEqual([]), 10_000);
  await app.start();
}

it.each(KILLED_AT)(
  'a first sign-in through a provider that is killed where it writes %s has left nothing, and is made anew as a whole',
  async (table) => {
    const name = table.replaceAll(/[^a-z]/g, '-');
    const before = await counted();
    await killedAt(table === EVENT ? table : `${acme.id}.${table}`, await begun(name));
    expect(await counted()).toEqual(before);
    const finish = await begun(name);
    expect((await finish()).status).toBe(302);
    const after = await counted();
    for (const [what, count] of Object.entries(before))
      expect({ what, count: after[what] }).toEqual({
        what,
        count: count + (what.startsWith(globex.id) ? 0 : 1),
      });
    const verified = await must(acme.api.get<{ valid: boolean }>('/v1/audit/verify'), 200);
    expect(verified.valid).toBe(true);
  },
  120_000,
);
