import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentDto, ProjectDto } from '../../src/agents/agents.dto.js';
import type { CreatedOrganisationDto } from '../../src/organisations/organisations.dto.js';
import type { RunDto } from '../../src/runs/runs.dto.js';
import type { Client } from './client.js';
import { uniqueName } from './tenants.js';

/** What was answered as done, and must therefore be there for ever. */
export interface Answered {
  readonly projects: string[];
  readonly agents: string[];
  readonly runs: string[];
  /** Cancellations that were asked for, answered or not. */
  readonly cancelling: string[];
  readonly tenants: string[];
}

/** Clients that keep changing a tenant until they are told to stop, and note what was answered. */
export class Traffic {
  readonly answered: Answered = { projects: [], agents: [], runs: [], cancelling: [], tenants: [] };
  readonly #stop = new AbortController();
  readonly #clients: Promise<void>[] = [];

  /** Creates projects, agents and versions, as fast as one caller can. */
  build(api: Client): void {
    this.#repeat(async () => {
      const project = await api.post<ProjectDto>('/v1/projects', { name: uniqueName('p') });
      if (project.status !== 201) return;
      this.answered.projects.push(project.body.id);
      const definition = { instructions: 'x', model: { provider: 'demo', name: 'demo' } };
      const body = { projectId: project.body.id, name: uniqueName('a'), definition };
      const agent = await api.post<AgentDto>('/v1/agents', body);
      if (agent.status !== 201) return;
      this.answered.agents.push(agent.body.id);
      await api.post(`/v1/agents/${agent.body.id}/publish`);
    });
  }

  /** Starts runs of an agent, and cancels every third of them. */
  run(api: Client, agentId: string, everyMs: number): void {
    this.#repeat(async () => {
      const run = await api.post<RunDto>(`/v1/agents/${agentId}/runs`, { input: 'x' });
      if (run.status !== 202) return;
      if (this.answered.runs.push(run.body.id) % 3 === 0) {
        this.answered.cancelling.push(run.body.id);
        await api.post(`/v1/runs/${run.body.id}/cancel`);
      }
      await sleep(everyMs);
    });
  }

  /** Creates organisations in both regions. */
  found(operator: Client): void {
    const regions = ['us-east-1', 'eu-west-1'];
    this.#repeat(async () => {
      const slug = uniqueName('org');
      const region = regions[this.answered.tenants.length % 2];
      const body = {
        slug,
        name: slug,
        region,
        owner: { email: 'a@b.example', password: 'a long password 123' },
      };
      const created = await operator.post<CreatedOrganisationDto>('/v1/tenants', body);
      if (created.status === 201) this.answered.tenants.push(slug);
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#clients);
  }

  #repeat(once: () => Promise<void>): void {
    const go = async (): Promise<void> => {
      while (!this.#stop.signal.aborted) {
        // A connection that breaks is what is being tested: what had no answer may or may not have happened.
        await once().catch((error: unknown) => {
          if (!(error instanceof TypeError)) throw error;
          return sleep(20);
        });
      }
    };
    this.#clients.push(go());
  }
}
