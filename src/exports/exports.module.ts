import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { DiscardOnErasure } from './discard-on-erasure.js';
import { ExpireExports } from './expire-exports.js';
import { ExportParts } from './export-parts.js';
import { ExportRows } from './export-rows.js';
import { ExportsController } from './exports.controller.js';
import { SavedExports } from './saved-exports.js';
import { WriteExport } from './write-export.js';

@Module({
  imports: [AuthModule],
  controllers: [ExportsController],
  providers: [DiscardOnErasure, ExpireExports, ExportParts, ExportRows, SavedExports, WriteExport],
})
export class ExportsModule {}
