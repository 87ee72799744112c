import { beforeAll, expect, it } from 'vitest';
import type { CreatedApiKeyDto } from '../../src/auth/auth.dto.js';
import type { RequestedImpersonationDto } from '../../src/impersonation/impersonation.dto.js';
import { personOf } from '../support/access.js';
import { publishedAgent, readRun, runIn, startRun } from '../support/agents.js';
import { client, must, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createClient, tokenOf } from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createApiKey, createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
});

type Sql = Parameters<Parameters<typeof asSuperuser>[2]>[0];
const sql = (work: (database: Sql) => Promise<unknown>) => asSuperuser(app.home, 'us-east-1', work);

/** As if a run had been ordered at this moment, by whoever has ordered this one. */
async function orderAgain(database: Sql, tenant: TestTenant, runId: string): Promise<void> {
  await database.query(
    `UPDATE "${tenant.id}".runs SET status = 'PENDING', finished_at = NULL WHERE id = $1`,
    [runId],
  );
  await database.query(`DELETE FROM "${tenant.id}".run_checkpoints WHERE run_id = $1`, [runId]);
  await database.query('INSERT INTO work.runs (tenant, run_id) VALUES ($1, $2)', [tenant.id, runId]);
}

/** Whoever may order runs in an organisation, and how their access ends in the database. */
const CREATORS: Readonly<
  Record<string, (tenant: TestTenant) => Promise<{ api: Client; ends: string; id: string }>>
> = {
  'a person who was disabled': async (tenant) => {
    const { api, person } = await personOf(app, tenant, 'Developer');
    return { api, id: person.id, ends: `UPDATE users SET status = 'disabled' WHERE id = $1` };
  },
  'a key, of a person who was disabled': async (tenant) => {
    const { api, person } = await personOf(app, tenant, 'Developer');
    const key: CreatedApiKeyDto = await createApiKey(api, ['*:admin']);
    const ends = `UPDATE users SET status = 'disabled' WHERE id = $1`;
    return { api: client(app.baseUrl, key.key), id: person.id, ends };
  },
  'a client that was disabled': async (tenant) => {
    const one = await createClient(tenant.api);
    const ends = `UPDATE oauth_clients SET status = 'disabled' WHERE id = $1`;
    return { api: client(app.baseUrl, await tokenOf(app.baseUrl, one)), id: one.id, ends };
  },
  'support whose time is over': async (tenant) => {
    const { person } = await personOf(app, tenant, 'Developer');
    const owner = await steppedUp(app, tenant);
    await must(owner.put('/v1/access/impersonation-settings', { allowed: true, writes: true }), 200);
    const asked = await must(
      client(app.baseUrl, app.firstRun.operatorKey).post<RequestedImpersonationDto>(
        '/v1/access/impersonations',
        {
          tenant: tenant.slug,
          userId: person.id,
          supportPerson: 'Ada of support',
          reason: 'Ticket 4711: an agent does not start',
          minutes: 10,
          writes: true,
        },
      ),
      201,
    );
    const ends = `UPDATE impersonations SET expires_at = now() WHERE id = $1`;
    return { api: client(app.baseUrl, asked.key), id: asked.id, ends };
  },
};

// At once: most of it is waiting until what is ordered is looked for.
it.concurrent.each(Object.entries(CREATORS))(
  'a run that %s has ordered meanwhile is not begun, and those of others are',
  async (_who, make) => {
    const [theirs, beside] = [await make(acme), await make(other)];
    const of = async (tenant: TestTenant, api: Client) => {
      const { id } = await startRun(api, (await publishedAgent(tenant.api)).id);
      await runIn(tenant.api, id, new Set(['COMPLETED']));
      return id;
    };
    const [run, another] = [await of(acme, theirs.api), await of(other, beside.api)];
    // Their access is being ended: nobody knows yet whether it will be.
    await sql(async (database) => {
      await database.query('BEGIN');
      await database.query(`SET LOCAL search_path TO "${acme.id}"`);
      await database.query(theirs.ends, [theirs.id]);
      await sql((apart) => orderAgain(apart, acme, run));
      await sql((apart) => orderAgain(apart, other, another));
      await runIn(other.api, another, new Set(['COMPLETED']));
      expect((await readRun(acme.api, run)).status).toBe('PENDING');
      await database.query('COMMIT');
    });
    const { status } = await runIn(acme.api, run);
    expect(status).toBe('CANCELLED');
  },
);
