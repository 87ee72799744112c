import { Injectable } from '@nestjs/common';
import {
  executeRun,
  ModelCallError,
  ModelProvider,
  Sandbox,
  type Checkpoint,
  type Checkpoints,
  type RunOutcome,
} from '@waxell/runtime';
import type { AgentDefinition, RunEventBody } from '@waxell/sdk';
import { AgentEntity, AgentVersionEntity } from '../agents/index.js';
import { FieldEncryption, KeysDestroyed, Sealed, sealedColumn } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { UnitOfWork } from '../requests/index.js';
import { Residence, TenantMoving } from '../tenancy/index.js';
import { GuardAttempt, LEAVES, NOT_SERVED } from './guard-attempt.js';
import { RunDispatch, type Lease } from './run-dispatch.js';
import { ended, runEvent } from './run-audit.js';
import { RunCreators, type RunCreator } from './run-creator.js';
import { RunEvents } from './run-events.js';
import { RunEntity } from './run.entity.js';

/** Another worker has taken the run over: nothing of this attempt may be written any more. */
class AttemptSuperseded extends Error {
  override readonly name = 'AttemptSuperseded';
}

interface Begun {
  readonly run: RunEntity;
  readonly creator: RunCreator;
}

const TERMINAL: ReadonlySet<string> = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

/** One attempt at a run, by the worker that holds its lease. */
@Injectable()
export class ExecuteQueuedRun {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly work: UnitOfWork,
    private readonly events: RunEvents,
    private readonly dispatch: RunDispatch,
    private readonly creators: RunCreators,
    private readonly guards: GuardAttempt,
    private readonly residence: Residence,
    private readonly sandbox: Sandbox,
    private readonly provider: ModelProvider,
    private readonly log: Log,
  ) {}

  /** Resolves when the run is over or somebody else's; rejects when it ought to be tried again. */
  async execute(lease: Lease, signal: AbortSignal): Promise<void> {
    await this.database.within(lease.tenant, async () => {
      // On guard before the run is RUNNING: from then on a cancellation is told to its worker, and only once.
      const guard = this.guards.begin(lease, signal);
      try {
        // Asked once more on guard: what changed before nobody would have told us.
        if (!(await this.guards.served(lease))) return await this.dispatch.giveBack(lease, signal);
        const begun = await this.#begin(lease.runId);
        if (!begun) return await this.dispatch.done(lease);
        const outcome = await this.#run(begun.run, guard.signal);
        await this.#finish(begun, outcome);
        await this.dispatch.done(lease);
      } catch (error) {
        if (error instanceof AttemptSuperseded) return;
        if (error instanceof KeysDestroyed) return await this.#end(lease);
        await this.dispatch.giveBack(lease, signal);
        if (guard.signal.reason === NOT_SERVED) return;
        // Where it lives now, the run is taken up again.
        if (guard.signal.reason === LEAVES) return;
        if ((await this.residence.explained(lease.tenant, error)) instanceof TenantMoving) return;
        throw error;
      } finally {
        guard.end();
      }
    });
  }

  /** Ends a run of which nothing can be read any more, by hand: its row as an entity could not be either. */
  async #end(lease: Lease): Promise<void> {
    const failure = { code: 'KEY_DESTROYED', message: "The organisation's keys were destroyed." };
    const [run] = await this.database.query<{ created_by: string }>({
      text: `SELECT created_by FROM runs WHERE id = $1 AND status NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')`,
      values: [lease.runId],
    });
    if (!run) return this.dispatch.done(lease);
    const { code } = failure;
    await this.work.runAs(
      (creator) => runEvent('run.failed', lease.runId, creator, { code }, code),
      async () => {
        const creator = await this.creators.locked(run.created_by);
        await this.database.query({
          text: `UPDATE runs SET status = 'FAILED', error = $2, finished_at = now() WHERE id = $1`,
          values: [lease.runId, failure],
        });
        return creator;
      },
    );
    await this.dispatch.done(lease);
  }

  /** Marks the run as running, with a new attempt; undefined when there is nothing left to do. */
  async #begin(id: string): Promise<Begun | undefined> {
    const existing = await this.database.repository(RunEntity).findOneBy({ id });
    if (!existing || TERMINAL.has(existing.status)) return undefined;
    try {
      return await this.work.runAs(
        ({ run: { attempt }, creator }: Begun) =>
          runEvent(attempt === 1 ? 'run.started' : 'run.resumed', id, creator, { attempt }),
        async () => {
          const runs = this.database.repository(RunEntity);
          // First, as whoever ends somebody's access does it: the person, then the runs.
          const creator = await this.creators.locked(existing.createdBy);
          const run = await runs.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
          if (!run || TERMINAL.has(run.status)) throw new AttemptSuperseded();
          run.status = 'RUNNING';
          run.attempt += 1;
          run.startedAt ??= new Date();
          // It was born, or has waited, while its creator's access ended.
          if (!creator.active) run.cancelRequestedAt ??= new Date();
          return { run: await runs.save(run), creator };
        },
      );
    } catch (error) {
      // Cancelled since we looked: nothing began, so there is no event either.
      if (error instanceof AttemptSuperseded) return undefined;
      throw error;
    }
  }

  async #run(run: RunEntity, signal: AbortSignal): Promise<RunOutcome> {
    if (run.cancelRequestedAt) return { status: 'CANCELLED', usage: NO_USAGE };
    const { definition, apiKey } = await this.#definitionOf(run);
    let seq = await this.events.lastSeq(run.id);
    return executeRun({
      definition,
      input: run.input.reveal(),
      sandbox: this.sandbox,
      provider: this.provider,
      apiKey,
      attempt: run.attempt,
      signal,
      checkpoints: this.#checkpoints(run),
      emit: async (body: RunEventBody) => {
        seq += 1;
        await this.#asAttempt(run, () => this.events.append(run.id, seq, body));
      },
    });
  }

  async #finish({ run, creator }: Begun, outcome: RunOutcome): Promise<void> {
    const end = ended(outcome);
    const failure = outcome.status === 'FAILED' ? outcome.error : null;
    if (outcome.status === 'FAILED' && outcome.cause !== undefined) this.#logFailure(run, outcome);
    await this.work.runAs(
      () =>
        runEvent(
          end.type,
          run.id,
          creator,
          { ...outcome.usage, ...(failure && { code: failure.code }) },
          failure?.code,
        ),
      async () => {
        await this.#requireAttempt(run);
        const { inputTokens, outputTokens, modelCalls } = outcome.usage;
        Object.assign(run, {
          status: outcome.status,
          error: failure,
          finishedAt: new Date(),
          inputTokens,
          outputTokens,
          modelCalls,
        });
        if (outcome.status === 'COMPLETED') run.output = Sealed.of(outcome.output);
        await this.database.repository(RunEntity).save(run);
        await this.events.append(run.id, (await this.events.lastSeq(run.id)) + 1, end);
      },
    );
  }

  /** An endpoint's own words may quote the tenant's key or question: of a model's failure only our words are logged. */
  #logFailure(run: RunEntity, { error, cause }: Extract<RunOutcome, { status: 'FAILED' }>): void {
    const details = { runId: run.id, code: error.code };
    if (cause instanceof ModelCallError) {
      this.log.error('run failed', undefined, {
        ...details,
        reason: cause.message,
        causes: kindsBelow(cause),
      });
    } else this.log.error('run failed', cause, details);
  }

  async #definitionOf(run: RunEntity): Promise<{ definition: AgentDefinition; apiKey: string | undefined }> {
    const version = await this.database
      .repository(AgentVersionEntity)
      .findOneByOrFail({ agentId: run.agentId, number: run.agentVersion });
    const agent = await this.database.repository(AgentEntity).findOneByOrFail({ id: run.agentId });
    const { provider } = version.definition.model;
    const apiKey = provider === 'demo' ? undefined : agent.providerKeys?.reveal()[provider];
    return { definition: version.definition, apiKey };
  }

  #checkpoints(run: RunEntity): Checkpoints {
    const tenant = currentTenant();
    const place = (call: number) => ({
      table: 'run_checkpoints',
      column: 'result',
      row: `${run.id}/${call}`,
    });
    return {
      load: async () => {
        const rows = await this.database.query<{ call: number; fingerprint: string; result: Buffer }>({
          text: 'SELECT call, fingerprint, result FROM run_checkpoints WHERE run_id = $1 ORDER BY call',
          values: [run.id],
        });
        return Promise.all(
          rows.map(async ({ call, fingerprint, result }) => ({
            call,
            fingerprint,
            result: await this.encryption.openJson(tenant, place(call), result),
          })),
        );
      },
      save: async ({ call, fingerprint, result }: Checkpoint, also: () => Promise<void>) => {
        const sealed = await this.encryption.sealJson(tenant, place(call), result);
        await this.#asAttempt(run, async () => {
          await this.database.query({
            text: 'INSERT INTO run_checkpoints (run_id, call, fingerprint, result) VALUES ($1, $2, $3, $4)',
            values: [run.id, call, fingerprint, sealed],
          });
          await also();
        });
      },
    };
  }

  /** Writes progress of this attempt, and nothing once a later attempt has begun. */
  #asAttempt(run: RunEntity, write: () => Promise<void>): Promise<void> {
    return this.work.bookkeeping('progress of a run; its start and its end are events', async () => {
      await this.#requireAttempt(run);
      await write();
    });
  }

  async #requireAttempt(run: RunEntity): Promise<void> {
    const [current] = await this.database.query<{ attempt: number }>({
      name: 'run_attempt',
      text: 'SELECT attempt FROM runs WHERE id = $1 FOR UPDATE',
      values: [run.id],
    });
    if (current?.attempt !== run.attempt) throw new AttemptSuperseded();
  }
}

/** What kinds of errors lie below one, such as `SocketError UND_ERR_SOCKET`. */
function kindsBelow(error: Error): string[] {
  const kinds: string[] = [];
  for (let at = error.cause; at instanceof Error && kinds.length < 8; at = at.cause) {
    const { code } = at as { code?: unknown };
    kinds.push(typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? `${at.name} ${code}` : at.name);
  }
  return kinds;
}

sealedColumn({
  table: 'run_checkpoints',
  column: 'result',
  key: [
    ['run_id', 'uuid'],
    ['call', 'integer'],
  ],
});

const NO_USAGE = { inputTokens: 0, outputTokens: 0, modelCalls: 0 };
