import { describe, expect, it } from 'vitest';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must } from '../support/client.js';
import { readBooks, verified } from '../support/log-book.js';
import { beginMove, operationEnded } from '../support/moves.js';
import { createTenant } from '../support/tenants.js';

const app = sharedApplication();
const operator = client(app.baseUrl, app.firstRun.operatorKey);

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
});
