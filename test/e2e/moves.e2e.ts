import { describe, expect, it } from 'vitest';
import type { Problem } from '../../src/platform/http/problem.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { readBooks, verified } from '../support/log-book.js';
import { beginMove, operationEnded } from '../support/moves.js';
import { createTenant } from '../support/tenants.js';

const app = sharedApplication();
const operator = client(app.baseUrl, app.firstRun.operatorKey);

/** As if a move were copying at this moment. */
async function movingTo(id: string, cell: string | null): Promise<void> {
  await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query(
      `UPDATE control.tenants SET moving_to = $2, move_id = CASE WHEN $2::text IS NULL THEN NULL ELSE gen_random_uuid() END WHERE id = $1`,
      [id, cell],
    ),
  );
}

const EUROPE = { cell: 'eu-west-1-c1', confirmRegion: 'eu-west-1' };

describe('a move to another region', () => {
  it('takes everything along, there and back, and lets nothing be lost', async () => {
    const tenant = await createTenant(app);
    const agent = await publishedAgent(tenant.api);
    const run = await runIn(tenant.api, (await startRun(tenant.api, agent.id)).id);
    const before = await readBooks(tenant.api);
    for (const body of [EUROPE, { region: 'us-east-1', confirmRegion: 'us-east-1' }]) {
      const { id } = await beginMove(operator, tenant.id, body);
      const ended = await operationEnded(operator, tenant.id, id);
      expect(ended).toMatchObject({ status: 'done' });
      expect((await must(tenant.api.get<{ output: unknown }>(`/v1/runs/${run.id}`), 200)).output).toEqual(
        run.output,
      );
      await verified(tenant.api);
      await publishedAgent(tenant.api);
    }
    const after = await readBooks(tenant.api);
    for (const event of before.events) expect(after.events).toContainEqual(event);
  });

  it('and a deletion do not meet: whoever is being moved is not deleted, nor the other way round', async () => {
    const [tenant, neighbour] = [await createTenant(app), await createTenant(app)];
    const remove = (id: string) => operator.send<Problem>('DELETE', `/v1/tenants/${id}`, { body: {} });
    await movingTo(tenant.id, 'eu-west-1-c1');
    expect(await refusal(remove(tenant.id))).toEqual({ status: 409, code: 'OPERATION_UNDER_WAY' });
    await must(tenant.api.get('/v1/me'), 200);
    await must(remove(neighbour.id), 202);
    await movingTo(tenant.id, null);
    await must(remove(tenant.id), 202);
    const move = operator.post(`/v1/tenants/${tenant.id}/move`, EUROPE);
    expect(await refusal(move)).toMatchObject({ status: 409 });
  });
});
