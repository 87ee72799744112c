import { hash, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { RegistryTransaction, TenantId, TenantRef } from '../platform/database/index.js';
import { CustomerKeyRefused, KeysUnavailable, keyServiceFault } from './key-errors.js';
import { KeyRing } from './key-ring.js';
import { CellKms } from './kms.js';
import { kmsContext } from './tenant-keys.js';

/** Keys that customers keep in a KMS account of their own, and let us use. */
@Injectable()
export class CustomerKeys {
  constructor(
    private readonly keys: KeyRing,
    private readonly kms: CellKms,
  ) {}

  /**
   * Makes a data key under the customer's key and opens it again, before anything depends on it. A key of our own
   * account is none of a customer's: it is another tenant's.
   * @throws {CustomerKeyRefused | KeysUnavailable}
   */
  async verify(tenant: TenantRef, arn: string): Promise<void> {
    const { ownKmsKeyId } = await this.keys.of(tenant);
    if (accountOf(arn) === accountOf(ownKmsKeyId)) throw new CustomerKeyRefused('of_our_account');
    const kms = this.kms.of(tenant.cell);
    const context = kmsContext(tenant, 'field');
    try {
      const { plaintext, wrapped } = await kms.generateDataKey(arn, context);
      const opened = await kms.decrypt(arn, wrapped, context);
      const same = timingSafeEqual(plaintext, opened);
      plaintext.fill(0);
      opened.fill(0);
      if (!same) throw new Error('The key service opened another key than it had made.');
    } catch (error) {
      const fault = keyServiceFault(error);
      if (fault === 'refusal')
        throw new CustomerKeyRefused(String((error as { code?: unknown }).code), { cause: error });
      throw fault === 'passing' ? new KeysUnavailable({ cause: error }) : error;
    }
  }

  /**
   * Notes whose the key is from now on, as part of the registry change that attaches it: two organisations under one key
   * would be told apart by its context alone, and revoked together. Kept until the organisation is gone.
   * @throws {CustomerKeyRefused} where it is another's
   */
  async claim(registry: RegistryTransaction, tenant: TenantId, arn: string): Promise<void> {
    const key = hash('sha256', sameEverywhere(arn), 'buffer');
    await registry.query({
      text: 'INSERT INTO control.customer_keys (key_hash, tenant) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      values: [key, tenant],
    });
    const { rows } = await registry.query<{ tenant: string }>({
      text: 'SELECT tenant FROM control.customer_keys WHERE key_hash = $1',
      values: [key],
    });
    if (rows[0]?.tenant !== tenant) throw new CustomerKeyRefused('attached_by_another_organisation');
  }
}

/** The related keys of a multi-Region key, in the regions that it is in, are one key. */
function sameEverywhere(arn: string): string {
  return arn.includes(':key/mrk-') ? arn.replace(/^([^:]*:[^:]*:[^:]*:)[^:]*/, '$1*') : arn;
}

/** `arn:partition:kms:region:account:key/id`; undefined for what is no ARN, as a local key's id. */
function accountOf(arn: string): string | undefined {
  return arn.split(':')[4];
}
