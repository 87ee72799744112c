import { setTimeout as sleep } from 'node:timers/promises';
import { TERMINAL_RUN_STATUSES } from '@waxell/sdk';
import type { AgentDto, ProjectDto } from '../../src/agents/agents.dto.js';
import type { RunDto } from '../../src/runs/runs.dto.js';
import { must, type Client } from './client.js';
import { uniqueName } from './tenants.js';

export interface AgentBody {
  readonly projectId?: string;
  readonly name?: string;
  readonly instructions?: string;
  readonly model?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly apiKeys?: Readonly<Record<string, string>>;
}

export function createProject(api: Client, name = uniqueName('project')): Promise<ProjectDto> {
  return must(api.post<ProjectDto>('/v1/projects', { name }), 201);
}

/** An agent of the demo model, unless said otherwise, in a project of its own. */
export async function createAgent(api: Client, body: AgentBody = {}): Promise<AgentDto> {
  const { projectId, name = uniqueName('agent'), instructions = 'Answer.', model, limits, apiKeys } = body;
  return must(
    api.post<AgentDto>('/v1/agents', {
      projectId: projectId ?? (await createProject(api)).id,
      name,
      definition: {
        instructions,
        model: { provider: 'demo', name: 'demo', ...model },
        ...(limits && { limits }),
      },
      ...(apiKeys && { apiKeys }),
    }),
    201,
  );
}

export async function publishedAgent(api: Client, body: AgentBody = {}): Promise<AgentDto> {
  const agent = await createAgent(api, body);
  return must(api.post<AgentDto>(`/v1/agents/${agent.id}/publish`), 200);
}

export function startRun(api: Client, agentId: string, input: unknown = 'Hello'): Promise<RunDto> {
  return must(api.post<RunDto>(`/v1/agents/${agentId}/runs`, { input }), 202);
}

export function readRun(api: Client, id: string): Promise<RunDto> {
  return must(api.get<RunDto>(`/v1/runs/${id}`), 200);
}

/** Waits until the run is in one of these statuses, by default one that it never leaves. */
export async function runIn(
  api: Client,
  id: string,
  statuses: ReadonlySet<string> = TERMINAL_RUN_STATUSES,
  limitMs = 30_000,
): Promise<RunDto> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const run = await readRun(api, id);
    if (statuses.has(run.status)) return run;
    if (Date.now() > deadline) throw new Error(`The run is still ${run.status} after ${limitMs} ms.`);
    await sleep(40);
  }
}

/** Watches a run: answers once something of it has come, with the moment (`performance.now()`) at which the stream ends. */
export async function watchRun(api: Client, run: string): Promise<{ readonly ended: Promise<number> }> {
  let begun = (): void => undefined;
  const beginning = new Promise<void>((resolve) => (begun = resolve));
  const ended = (async () => {
    for await (const _event of api.events(`/v1/runs/${run}/events`)) begun();
    return performance.now();
  })();
  const nothing = ended.then(() => Promise.reject(new Error('The stream ended before anything had come.')));
  await Promise.race([beginning, nothing]);
  return { ended };
}
