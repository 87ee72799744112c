import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from './api.ts';
import type { EmbeddedDatabase } from './database.ts';
import type { Narrator } from './narrator.ts';
import { text } from './organisation.ts';

/** A run that takes a while: its own organisation stops it, and nobody else can. */
export async function cancelOwnRunOnly(
  tell: Narrator,
  developer: Caller,
  projectId: string,
  database: EmbeddedDatabase,
  neighbour: string,
): Promise<void> {
  const agent = await developer.post('/v1/agents', {
    projectId,
    name: 'Slow',
    definition: { instructions: 'Take your time.', model: { provider: 'demo', name: 'demo-slow' } },
  });
  const agentId = text(agent, 'id');
  await developer.post(`/v1/agents/${agentId}/publish`);
  const runId = text(await developer.post(`/v1/agents/${agentId}/runs`, { input: 'count' }), 'id');
  const status = async (): Promise<string> => text(await developer.get(`/v1/runs/${runId}`), 'status');
  const reached = async (wanted: string): Promise<boolean> => {
    for (let attempt = 0; attempt < 50 && (await status()) !== wanted; attempt += 1) await sleep(100);
    return (await status()) === wanted;
  };
  tell.check('a slow run is RUNNING', await reached('RUNNING'));

  const refusal = await database.asTenant(neighbour, async (client) => {
    await client.query("SELECT work.announce('run_cancel', $1)", [runId]);
    return client.query("SELECT pg_notify('waxell', '{}')").catch((error: unknown) => error);
  });
  tell.check("the other's role announces in no name but its own", refusal instanceof Error, refusal);
  await sleep(700);
  tell.check('and what it announces does not stop the run', (await status()) === 'RUNNING');

  const asked = await developer.post(`/v1/runs/${runId}/cancel`);
  tell.check('its own organisation may cancel it (202)', asked.status === 202, asked.text);
  tell.check('and it is CANCELLED', await reached('CANCELLED'));
}
