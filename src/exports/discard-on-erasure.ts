import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ErasureFollowers } from '../auth/index.js';
import { ExpireExports } from './expire-exports.js';
import { ExportRows } from './export-rows.js';

/**
 * A saved export is sealed under the tenant's key and may name anybody: whoever is erased is in none any more. Those that are
 * being written, too: what they have read was readable then.
 */
@Injectable()
export class DiscardOnErasure implements OnModuleInit {
  constructor(
    private readonly erasures: ErasureFollowers,
    private readonly rows: ExportRows,
    private readonly expire: ExpireExports,
  ) {}

  onModuleInit(): void {
    this.erasures.follow(async (tenant) => {
      await this.rows.expireAll(tenant);
      this.expire.soon();
    });
  }
}
