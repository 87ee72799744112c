import { Module } from '@nestjs/common';
import { ExpireExports } from './expire-exports.js';
import { ExportParts } from './export-parts.js';
import { ExportRows } from './export-rows.js';
import { ExportsController } from './exports.controller.js';
import { SavedExports } from './saved-exports.js';
import { WriteExport } from './write-export.js';

@Module({
  controllers: [ExportsController],
  providers: [ExpireExports, ExportParts, ExportRows, SavedExports, WriteExport],
})
export class ExportsModule {}
