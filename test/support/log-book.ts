import type { AgentDto, ProjectDto } from '../../src/agents/agents.dto.js';
import type { RunDto } from '../../src/runs/runs.dto.js';
import { must, type Client } from './client.js';

export interface LoggedEvent {
  readonly seq: number;
  readonly action: string;
  readonly outcome: string;
  readonly resource?: { readonly type: string; readonly id: string };
  readonly changes?: { readonly replayed?: boolean };
}

/** All that a tenant has, and all that its log says of it. */
export interface Books {
  readonly projects: readonly ProjectDto[];
  readonly agents: readonly AgentDto[];
  readonly runs: readonly RunDto[];
  readonly events: readonly LoggedEvent[];
}

export async function readBooks(api: Client): Promise<Books> {
  const [projects, agents, runs] = await Promise.all([
    api.all<ProjectDto>('/v1/projects', 200),
    api.all<AgentDto>('/v1/agents', 200),
    api.all<RunDto>('/v1/runs', 200),
  ]);
  const events = await api.all<LoggedEvent>('/v1/audit/events', 200);
  return { projects, agents, runs, events: events.toReversed() };
}

/**
 * Holds a tenant's rows and its log against each other: for every row exactly one event that tells of it, for every
 * success that the log tells of its row. Answers in words what does not fit.
 */
export function discrepancies({ projects, agents, runs, events }: Books): string[] {
  const found: string[] = [];
  const successes = (action: string): (string | undefined)[] =>
    events
      // A request that was answered from storage changed nothing, and its event says so.
      .filter(({ changes }) => !changes?.replayed)
      .filter((event) => event.action === action && event.outcome === 'success')
      .map(({ resource }) => resource?.id);
  const hold = (action: string, expected: ReadonlyMap<string, number>): void => {
    const told = new Map<string, number>();
    for (const id of successes(action)) told.set(id ?? 'nothing', (told.get(id ?? 'nothing') ?? 0) + 1);
    for (const id of new Set([...told.keys(), ...expected.keys()])) {
      const [said, is] = [told.get(id) ?? 0, expected.get(id) ?? 0];
      if (said !== is) found.push(`${action} of ${id}: the log tells of ${said}, there are ${is}`);
    }
  };
  hold('project.created', once(projects));
  hold('agent.created', once(agents));
  hold('agent.published', new Map(agents.map((agent) => [agent.id, agent.publishedVersion ?? 0])));
  hold('run.created', once(runs));
  hold('run.completed', once(runs.filter(({ status }) => status === 'COMPLETED')));
  hold('run.cancelled', once(runs.filter(({ status, startedAt }) => status === 'CANCELLED' && startedAt)));
  hold('run.started', once(runs.filter(({ startedAt }) => startedAt)));
  for (const [at, { seq }] of events.entries())
    if (seq !== at + 1) found.push(`the log has ${seq} where ${at + 1} was to stand`);
  return found;
}

function once(rows: readonly { readonly id: string }[]): Map<string, number> {
  return new Map(rows.map(({ id }) => [id, 1]));
}

/** Throws unless the log verifies. */
export async function verified(api: Client): Promise<void> {
  const answer = await must(api.get<{ valid: boolean; finding?: unknown }>('/v1/audit/verify'), 200);
  if (!answer.valid) throw new Error(`The log does not verify: ${JSON.stringify(answer.finding)}`);
}
