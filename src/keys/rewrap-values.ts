import { Injectable } from '@nestjs/common';
import {
  FieldEncryption,
  headerUnder,
  KeyRing,
  KeyTimes,
  nameOf,
  sealedColumns,
  SubjectKeys,
  isSealedBy,
  type SealedColumn,
  type TenantKeys,
} from '../encryption/index.js';
import type { OperationData, StepResult } from '../operations/index.js';
import { PLATFORM_TENANT, type TenantRef } from '../platform/database/index.js';
import { SealedRows, type StaleValue, type StoredValue } from './sealed-rows.js';

/** For so long a step works before what it has done is noted. */
const STEP_MS = 1_000;
/** Values at once: where the KMS itself has to open or seal each, they wait for it together. */
const AT_ONCE = 16;

/** How far a rewrap has come. */
interface Progress {
  /** The last column that is done in this pass. */
  readonly passed?: string;
  /** Key of the last row that was read, of the column after it. */
  readonly after?: readonly string[];
  /** Values that now have the new key, since the beginning. */
  readonly values?: number;
  /** The same in this pass. */
  readonly inPass?: number;
  /** Values of this pass that cannot be opened; they stay as they are. */
  readonly unreadable?: number;
}

/**
 * Brings every stored value of a tenant under its current key, column by column, in pages by key. Values that somebody
 * changes meanwhile are left to them. It ends when a whole pass has found nothing: a value that was on its way when the
 * key was replaced is met by the next.
 */
@Injectable()
export class RewrapValues {
  constructor(
    private readonly keys: KeyRing,
    private readonly subjects: SubjectKeys,
    private readonly fields: FieldEncryption,
    private readonly rows: SealedRows,
    private readonly times: KeyTimes,
  ) {}

  /** A second's worth; answers the same step again until there is nothing left. */
  async step(tenant: TenantRef, data: OperationData, next: string, signal: AbortSignal): Promise<StepResult> {
    const keys = await this.keys.reread(tenant);
    const columns = columnsOf(tenant);
    const until = performance.now() + STEP_MS;
    let progress: Progress = data;
    while (performance.now() < until) {
      signal.throwIfAborted();
      const column = columns.find((one) => nameOf(one) > (progress.passed ?? ''));
      if (!column) return this.#endOfPass(data, progress, next);
      progress = await this.#page(tenant, keys, column, progress);
    }
    return { again: 0, data: { ...data, ...progress } };
  }

  #endOfPass(data: OperationData, progress: Progress, next: string): StepResult {
    const { values = 0, inPass = 0, unreadable = 0 } = progress;
    const { passed: _, after: __, inPass: ___, ...rest } = { ...data, ...progress };
    if (inPass === 0) return { next, data: { ...rest, values, unreadable } };
    return { again: this.times.settle / 1_000, data: { ...rest, values, inPass: 0, unreadable: 0 } };
  }

  async #page(tenant: TenantRef, keys: TenantKeys, column: SealedColumn, done: Progress): Promise<Progress> {
    const { stale, last } = await this.rows.page(tenant, column, headerUnder(keys), done.after);
    const anew: StoredValue[] = [];
    let unreadable = 0;
    for (let at = 0; at < stale.length; at += AT_ONCE) {
      const some = stale.slice(at, at + AT_ONCE);
      const done = await Promise.all(some.map((one) => this.#anew(tenant, keys, column, one)));
      for (const [offset, rewrapped] of done.entries()) {
        const one = some[offset];
        if (rewrapped === 'unreadable') unreadable += 1;
        else if (rewrapped && one) anew.push({ ...one, rewrapped });
      }
    }
    const replaced = await this.rows.replace(tenant, column, anew);
    return {
      passed: last ? done.passed : nameOf(column),
      after: last,
      values: (done.values ?? 0) + replaced,
      // Those that were changed meanwhile count too: whether they have the new key, the next pass sees.
      inPass: (done.inPass ?? 0) + anew.length,
      unreadable: (done.unreadable ?? 0) + unreadable,
    };
  }

  /** The value under the tenant's current key, or that of the person whose row it is; undefined where it is that already. */
  async #anew(
    tenant: TenantRef,
    keys: TenantKeys,
    { table, column, ofPerson }: SealedColumn,
    { key, value }: StaleValue,
  ): Promise<Buffer | 'unreadable' | undefined> {
    const place = { tenant: tenant.id, table, column, row: key.join('/') };
    const to = ofPerson ? await this.subjects.sealing(keys, tenant, place.row) : keys.current;
    // Of a person who has no key yet, and under the tenant's already.
    if (ofPerson && isSealedBy(to, value)) return undefined;
    return (await this.fields.rewrapped(tenant, keys, to, place, value)) ?? 'unreadable';
  }
}

/** The installation's own keys have sealed parts of the registry too. */
function columnsOf(tenant: TenantRef): SealedColumn[] {
  return sealedColumns().filter(({ schema }) => schema === undefined || tenant.id === PLATFORM_TENANT);
}
