import { AuditLog, canonicalNotice, type AuditEvent } from '../audit/index.js';
import { PLATFORM_TENANT, type Cells } from '../platform/database/index.js';
import type { ExpiredBackup } from './expire-backups.js';
import type { FinishedBackup } from './write-backup.js';

/** Puts what is done with backups into the installation's own log; each resolves when its event is durable. */
export class RecordBackups {
  readonly #log: AuditLog;

  constructor(private readonly cells: Cells) {
    this.#log = new AuditLog(cells);
  }

  created({ id, cell, tenants, rows, bytes, sha256, keyId }: FinishedBackup): Promise<void> {
    return this.#append('backup.created', id, { cell, tenants, rows, bytes, sha256, keyId });
  }

  expired({ id, createdAt }: ExpiredBackup): Promise<void> {
    return this.#append('backup.expired', id, { createdAt });
  }

  restored({ id, cell, createdAt, sha256 }: FinishedBackup): Promise<void> {
    return this.#append('backup.restored', id, { cell, createdAt, sha256 });
  }

  async close(): Promise<void> {
    await this.#log.onApplicationShutdown();
  }

  #append(action: AuditEvent['action'], id: string, changes: Record<string, unknown>): Promise<void> {
    const installation = this.cells.home.tenant(PLATFORM_TENANT);
    const actor = { type: 'system', id: 'backups' } as const;
    const resource = { type: 'backup', id };
    return this.#log.append(
      installation,
      canonicalNotice(installation, { action, actor, outcome: 'success', resource, changes }),
    );
  }
}
