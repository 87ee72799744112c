import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type { RequestedImpersonationDto } from '../../src/impersonation/impersonation.dto.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { HIGH_LIMITS } from '../support/application.js';
import { keyChannel, runChannel, streamChannel } from '../support/channels.js';
import { client, must, type Client } from '../support/client.js';
import { startInstallation, type Installation } from '../support/installation.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const SECOND = 1_000;
const PATH = '/v1/access/impersonations';
let installation: Installation;
let first: string;
let second: string;
let acme: TestTenant;
let operator: Client;
let slow: AgentDto;

beforeAll(async () => {
  installation = await startInstallation(2, HIGH_LIMITS);
  [first = '', second = ''] = installation.baseUrls;
  const { operatorKey } = installation;
  operator = client(first, operatorKey);
  acme = await createTenant({ baseUrl: first, firstRun: { operatorKey } });
  const owner = await steppedUp({ baseUrl: first }, acme);
  const settings = { allowed: true, writes: true };
  await must(owner.put('/v1/access/impersonation-settings', settings), 200);
  slow = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
});
afterAll(() => installation.dispose());

/** At the first process; it is used at the second. */
const ENDINGS: Readonly<Record<string, (asked: RequestedImpersonationDto) => Promise<unknown>>> = {
  'the organisation ends it': ({ id }) => must(acme.api.delete(`${PATH}/${id}`), 204),
  'the operator ends it': ({ id }) => must(operator.post(`${PATH}/${id}/withdraw`, { tenant: acme.id }), 204),
  'support gives it up': ({ key }) => must(client(first, key).post(`${PATH}/leave`), 204),
};

it.each(Object.entries(ENDINGS))(
  'when %s, its key, streams and runs are dead within a second at another process',
  async (_how, end) => {
    const reason = 'Ticket 4711: an agent does not start';
    const body = { tenant: acme.slug, userId: acme.owner.id, supportPerson: 'Ada', reason, minutes: 10 };
    const asked = await must(operator.post<RequestedImpersonationDto>(PATH, { ...body, writes: true }), 201);
    const watched = await startRun(acme.api, slow.id);
    await runIn(acme.api, watched.id, new Set(['RUNNING']));
    const channels = [
      keyChannel(second, asked.key),
      await streamChannel(second, asked.key, watched.id),
      await runChannel(acme.api, second, asked.key, slow.id),
    ];
    await end(asked);
    const endedAt = performance.now();
    for (const { name, last } of channels)
      expect({ name, within: (await last) - endedAt < SECOND }).toEqual({ name, within: true });
    await must(acme.api.post(`/v1/runs/${watched.id}/cancel`), 202);
  },
);
