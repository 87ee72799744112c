import { Injectable } from '@nestjs/common';
import { TenantErasure, type TenantRef } from '../platform/database/index.js';
import { AuditLog } from './audit-log.js';
import { Frontier } from '@waxell/transparency';

/** The end of a log, as the installation's own log keeps it: who has the log's events can show with it that they are all. */
export interface LogProof {
  readonly events: number;
  readonly chainHash: string;
  readonly rootHash: string;
}

const PAGE = 5_000;

/** Ends a tenant's log for ever, and takes it away. See docs/adr/0012-what-is-left-of-a-purged-organisation.md. */
@Injectable()
export class CloseLog {
  constructor(
    private readonly log: AuditLog,
    private readonly erasure: TenantErasure,
  ) {}

  /** Repeating it is harmless, and answers the same. */
  async close(tenant: TenantRef): Promise<LogProof> {
    await this.log.drainOutbox(tenant.cell);
    const { seq, chainHash, frontier } = await this.erasure.closeLog(tenant);
    const rootHash = Frontier.of(frontier, seq).root().toString('hex');
    return { events: seq, chainHash: chainHash.toString('hex'), rootHash };
  }

  /** Takes a closed log's events away, page by page. */
  async erase(tenant: TenantRef, signal: AbortSignal): Promise<void> {
    do signal.throwIfAborted();
    while ((await this.erasure.eraseLog(tenant, PAGE)) > 0);
  }
}
