import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type { CreatedApiKeyDto } from '../../src/auth/auth.dto.js';
import type { RunDto } from '../../src/runs/runs.dto.js';
import { client, type Answer, type Client } from './client.js';
import { uniqueName } from './tenants.js';

const RETRY_MS = 25;

/** What callers were answered: it must be there, once. */
export interface Kept {
  readonly agents: string[];
  /** The last description that was answered, of each agent that was changed. */
  readonly descriptions: Map<string, string>;
  readonly runs: string[];
  readonly apiKeys: string[];
  reads: number;
}

/** A refusal that a caller met: what it asked for, and the problem's code. */
export interface Refused {
  readonly what: string;
  readonly status: number;
  readonly code: string;
}

/**
 * Callers that keep working with one tenant as real ones do: what is answered with 503, or not at all, is repeated with
 * its Idempotency-Key until there is an answer.
 */
export class Callers {
  readonly kept: Kept = { agents: [], descriptions: new Map(), runs: [], apiKeys: [], reads: 0 };
  readonly refused: Refused[] = [];
  /** The longest time between the first try of a write and its answer, in milliseconds. */
  longestWrite = 0;
  longestRead = 0;
  readonly #stop = new AbortController();
  readonly #atWork: Promise<void>[] = [];

  constructor(
    private readonly api: Client,
    private readonly agent: AgentDto,
  ) {}

  start(): this {
    this.#repeat(() => this.#buildAgent());
    this.#repeat(() => this.#startRun());
    this.#repeat(() => this.#makeKey());
    this.#repeat(() => this.#read());
    this.#repeat(() => this.#read());
    return this;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#atWork);
  }

  async #buildAgent(): Promise<void> {
    const { projectId, definition } = this.agent;
    const body = { projectId, name: uniqueName('a'), definition };
    const { id } = await this.#write<AgentDto>('POST', '/v1/agents', 201, body);
    this.kept.agents.push(id);
    const description = uniqueName('changed');
    await this.#write('PATCH', `/v1/agents/${id}`, 200, { description });
    this.kept.descriptions.set(id, description);
  }

  async #startRun(): Promise<void> {
    const path = `/v1/agents/${this.agent.id}/runs`;
    this.kept.runs.push((await this.#write<RunDto>('POST', path, 202, { input: 'x' })).id);
    await sleep(60);
  }

  /** A key that was answered works at once, wherever the tenant is. */
  async #makeKey(): Promise<void> {
    const body = { name: uniqueName('k'), scopes: ['*:read'] };
    const made = await this.#write<CreatedApiKeyDto>('POST', '/v1/api-keys', 201, body);
    this.kept.apiKeys.push(made.id);
    await this.#until('GET /v1/me', 200, () => client(this.api.baseUrl, made.key).get('/v1/me'));
    await sleep(60);
  }

  /** What was answered is there for whoever reads afterwards. */
  async #read(): Promise<void> {
    const last = this.kept.agents.at(-1) ?? this.agent.id;
    const begun = performance.now();
    await this.#until('GET agent', 200, () => this.api.get(`/v1/agents/${last}`));
    this.longestRead = Math.max(this.longestRead, performance.now() - begun);
    this.kept.reads += 1;
  }

  async #write<T>(method: string, path: string, status: number, body: object): Promise<T> {
    const headers: Record<string, string> = method === 'POST' ? { 'idempotency-key': randomUUID() } : {};
    const begun = performance.now();
    const answer = await this.#until<T>(`${method} ${path.replace(/[0-9a-f-]{36}/, ':id')}`, status, () =>
      this.api.send<T>(method, path, { body, headers }),
    );
    this.longestWrite = Math.max(this.longestWrite, performance.now() - begun);
    return answer;
  }

  async #until<T>(what: string, status: number, ask: () => Promise<Answer<T>>): Promise<T> {
    for (;;) {
      const answer = await ask().catch(async (error: unknown) => {
        // A connection that broke: what had no answer may or may not have happened, and is asked for again.
        if (!(error instanceof TypeError)) throw error;
        return undefined;
      });
      if (answer?.status === status) return answer.body;
      if (answer) {
        const { code } = answer.body as { code: string };
        this.refused.push({ what, status: answer.status, code });
        if (answer.status !== 503) throw new Error(`${what} was answered ${answer.status} ${code}`);
      }
      await sleep(RETRY_MS);
    }
  }

  #repeat(once: () => Promise<void>): void {
    const go = async (): Promise<void> => {
      while (!this.#stop.signal.aborted) await once();
    };
    this.#atWork.push(go());
  }
}
