import { Injectable } from '@nestjs/common';
import type { TenantId } from '../platform/database/index.js';
import type { Operation } from './operation.js';
import { OperationRunner } from './operation-runner.js';
import { Operations } from './operations.js';
import { UNTAKEN_AFTER_SECONDS } from './watch-untaken.js';

/** An operation, and what it waits for where nobody goes on with it. */
export interface ObservedOperation extends Operation {
  readonly waitsFor?: string;
}

/** Operations for whoever looks at them. */
@Injectable()
export class ObservedOperations {
  constructor(
    private readonly operations: Operations,
    private readonly runner: OperationRunner,
  ) {}

  async byId(tenant: TenantId, id: string): Promise<ObservedOperation | undefined> {
    const found = await this.operations.byId(tenant, id);
    return found && this.#observed(found);
  }

  /** A tenant's, the latest first. */
  async ofTenant(tenant: TenantId, limit: number): Promise<ObservedOperation[]> {
    const found = await this.operations.ofTenant(tenant, limit);
    return found.map((operation) => this.#observed(operation));
  }

  #observed(operation: Operation): ObservedOperation {
    const waitsFor = this.#awaited(operation);
    return { ...operation, ...(waitsFor !== undefined && { waitsFor }) };
  }

  #awaited({ kind, step, status, dueAt, heldUntil }: Operation): string | undefined {
    const now = Date.now();
    const held = heldUntil !== undefined && heldUntil.getTime() > now;
    if (status !== 'running' || held || dueAt.getTime() > now) return undefined;
    if (this.runner.known().some((known) => known.kind === kind && known.step === step)) return undefined;
    const program = `A program that has the step "${step}" of ${kind}, which this one has not.`;
    if (now - dueAt.getTime() < UNTAKEN_AFTER_SECONDS * 1_000) return program;
    return `${program} None has taken it up since ${dueAt.toISOString()}: start a process of the version that has it.`;
  }
}
