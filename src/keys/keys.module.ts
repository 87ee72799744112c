import { Module } from '@nestjs/common';
import { AdoptKeys } from './adopt-keys.js';
import { ReplaceIndex } from './replace-index.js';
import { RewrapValues } from './rewrap-values.js';
import { RotateKeys } from './rotate-keys.js';
import { RotationSchedule } from './rotation-schedule.js';
import { SealedRows } from './sealed-rows.js';

@Module({
  providers: [AdoptKeys, RotateKeys, RotationSchedule, RewrapValues, ReplaceIndex, SealedRows],
})
export class KeysModule {}
