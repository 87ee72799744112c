import { Module } from '@nestjs/common';
import { AdoptKeys } from './adopt-keys.js';
import { ChangeKeys } from './change-keys.js';
import { DeletionMail } from './deletion-mail.js';
import { DestroyKeys } from './destroy-keys.js';
import { KeysController } from './keys.controller.js';
import { ReadKeys } from './read-keys.js';
import { ReplaceIndex } from './replace-index.js';
import { RewrapPersons } from './rewrap-persons.js';
import { RewrapValues } from './rewrap-values.js';
import { RotateKeys } from './rotate-keys.js';
import { RotationSchedule } from './rotation-schedule.js';
import { SealedRows } from './sealed-rows.js';
import { WipeKeys } from './wipe-keys.js';

@Module({
  controllers: [KeysController],
  providers: [
    AdoptKeys,
    ChangeKeys,
    DeletionMail,
    DestroyKeys,
    ReadKeys,
    ReplaceIndex,
    RewrapPersons,
    RewrapValues,
    RotateKeys,
    RotationSchedule,
    SealedRows,
    WipeKeys,
  ],
})
export class KeysModule {}
