import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { readableRows } from '../access/index.js';
import { AgentEntity, AgentNotPublished } from '../agents/index.js';
import { Sealed } from '../encryption/index.js';
import { announce, currentTenant, TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { AppError, ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page } from '../platform/http/pagination.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { EnforceQuotas } from '../tenancy/index.js';
import { RunEvents } from './run-events.js';
import { RunEntity } from './run.entity.js';
import type { RunDto, RunsQuery } from './runs.dto.js';
import { RunDispatch } from './run-dispatch.js';

export class RunFinished extends AppError {
  readonly kind = 'conflict';
  readonly code = 'RUN_FINISHED';
  constructor(status: string) {
    super(`The run is ${status} and cannot be cancelled any more.`);
  }
}

@Injectable()
export class Runs {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly events: RunEvents,
    private readonly dispatch: RunDispatch,
    private readonly quotas: EnforceQuotas,
  ) {}

  /** Stores the run and the order to work on it in one transaction; the queue is told afterwards, and may be lost. */
  async create(actor: Actor, tenant: TenantRef, agentId: string, input: unknown): Promise<RunDto> {
    const run = await this.work.run(async () => {
      const agent = await this.database.repository(AgentEntity).findOneBy({ id: agentId });
      if (!agent || agent.deletedAt) throw new ResourceNotFound('agent');
      if (agent.publishedVersion === null) throw new AgentNotPublished();
      const runs = this.database.repository(RunEntity);
      const created = runs.create({
        id: uuidv7(),
        agentId,
        agentVersion: agent.publishedVersion,
        status: 'PENDING',
        input: Sealed.of(input),
        output: null,
        error: null,
        inputTokens: 0,
        outputTokens: 0,
        modelCalls: 0,
        attempt: 0,
        cancelRequestedAt: null,
        createdBy: actor.id,
        startedAt: null,
        finishedAt: null,
      });
      auditDetails({
        resource: { type: 'run', id: created.id },
        changes: { agent: agentId, version: agent.publishedVersion },
      });
      await runs.insert(created);
      await this.database.query({ text: 'INSERT INTO work.runs (run_id) VALUES ($1)', values: [created.id] });
      // Last: others who begin a run wait from here to the commit.
      await this.quotas.countRun();
      return runDto(created);
    });
    await this.dispatch.enqueue(tenant, run.id);
    return run;
  }

  async get(id: string): Promise<RunDto> {
    const run = await this.database.repository(RunEntity).findOneBy({ id });
    if (!run) throw new ResourceNotFound('run');
    auditDetails({ resource: { type: 'run', id } });
    return runDto(run);
  }

  async list({ cursor, limit, agentId }: RunsQuery): Promise<Page<RunDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const readable = readableRows('run');
    const rows = await this.database
      .repository(RunEntity)
      .createQueryBuilder('run')
      .where(readable.sql, readable.parameters)
      .andWhere(after === undefined ? 'TRUE' : 'run.id > :after', { after })
      .andWhere(agentId === undefined ? 'TRUE' : 'run.agent_id = :agentId', { agentId })
      .orderBy('run.id')
      .limit(limit + 1)
      .getMany();
    return pageOf(rows, limit, (run) => run.id, runDto);
  }

  /** A run that nobody works on yet is cancelled here; of a running one its worker is told. */
  async cancel(id: string): Promise<RunDto> {
    return this.work.run(async () => {
      const runs = this.database.repository(RunEntity);
      const run = await runs.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!run) throw new ResourceNotFound('run');
      auditDetails({ resource: { type: 'run', id } });
      if (run.status === 'CANCELLED') return runDto(run);
      if (run.status === 'COMPLETED' || run.status === 'FAILED') throw new RunFinished(run.status);
      if (run.status === 'PENDING') {
        run.status = 'CANCELLED';
        run.finishedAt = new Date();
        await this.events.append(id, (await this.events.lastSeq(id)) + 1, { type: 'run.cancelled' });
      } else {
        run.cancelRequestedAt = new Date();
        await this.database.query(announce({ kind: 'run_cancel', tenant: currentTenant().id, id }));
      }
      return runDto(await runs.save(run));
    });
  }
}

export function runDto(run: RunEntity): RunDto {
  return {
    id: run.id,
    agentId: run.agentId,
    agentVersion: run.agentVersion,
    status: run.status,
    input: run.input.reveal(),
    ...(run.output && { output: run.output.reveal() }),
    ...(run.error && { error: run.error }),
    usage: { inputTokens: run.inputTokens, outputTokens: run.outputTokens, modelCalls: run.modelCalls },
    createdBy: run.createdBy,
    createdAt: run.createdAt.toISOString(),
    ...(run.startedAt && { startedAt: run.startedAt.toISOString() }),
    ...(run.finishedAt && { finishedAt: run.finishedAt.toISOString() }),
  };
}
