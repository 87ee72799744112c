import { Injectable } from '@nestjs/common';
import { KeyRing } from '../encryption/index.js';
import { announce, TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import { keysEvent } from './rotate-keys.js';

/** Overwrites what is stored of a tenant's keys. From then on, what they have sealed is gone. */
@Injectable()
export class WipeKeys {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly keys: KeyRing,
  ) {}

  /** Told once, however often it is repeated. */
  async execute(tenant: TenantRef, signal: AbortSignal): Promise<void> {
    await this.database.within(tenant, async () => {
      for (let states = await this.#states(); states.has(false); states = await this.#states()) {
        signal.throwIfAborted();
        if (states.has(true))
          await this.work.bookkeeping('the rest of what was told', () => this.#wipe(tenant));
        else
          await this.work.runAs(
            () => keysEvent('keys.destroyed', tenant.id),
            () => this.#wipe(tenant),
          );
      }
    });
  }

  /** Whether there are keys that are destroyed, and keys that are not. */
  async #states(): Promise<ReadonlySet<boolean>> {
    const rows = await this.database.query<{ destroyed: boolean }>({
      text: `SELECT DISTINCT state = 'destroyed' AS destroyed FROM encryption_keys`,
      values: [],
    });
    return new Set(rows.map(({ destroyed }) => destroyed));
  }

  /** A rotation adds a key while it holds those that there are: waiting for these, this meets the new one too. */
  async #wipe({ id }: TenantRef): Promise<void> {
    await this.keys.lock();
    await this.database.query({
      text: `UPDATE encryption_keys SET state = 'destroyed', wrapped = '', inner_wrapped = NULL, wrapped_by = NULL,
        revision = revision + 1 WHERE state <> 'destroyed'`,
      values: [],
    });
    await this.database.query(announce({ kind: 'keys', tenant: id, id }));
  }
}
