import { Global, Module, type OnModuleInit } from '@nestjs/common';
import { Cells, TenantDatabase } from '../platform/database/index.js';
import { BlindLookup } from './blind-lookup.js';
import { CustomerKeys } from './customer-keys.js';
import { EncryptionSubscriber } from './encryption.subscriber.js';
import { FieldEncryption } from './field-encryption.js';
import { HeldKeys } from './held-keys.js';
import { KeyRing } from './key-ring.js';
import { KeySchedules } from './key-schedules.js';
import { KEY_TIMES, KeyTimes } from './key-times.js';
import { MoveKeys } from './move-keys.js';
import { NewKeyVersions } from './new-key-version.js';
import { NewRows } from './new-rows.js';
import { Openers } from './openers.js';
import { SealedObjects } from './sealed-objects.js';
import { requireSensitiveColumns } from './sensitive-columns.js';
import { SubjectKeys } from './subject-keys.js';

/** Global: encryption is part of storing, in every room. The keys of each cell are bound by the composition root. */
@Global()
@Module({
  providers: [
    KeyRing,
    KeySchedules,
    CustomerKeys,
    FieldEncryption,
    BlindLookup,
    MoveKeys,
    HeldKeys,
    NewKeyVersions,
    NewRows,
    Openers,
    SealedObjects,
    SubjectKeys,
    { provide: KeyTimes, useValue: KEY_TIMES },
  ],
  exports: [
    KeyRing,
    CustomerKeys,
    KeySchedules,
    KeyTimes,
    FieldEncryption,
    BlindLookup,
    MoveKeys,
    NewKeyVersions,
    NewRows,
    Openers,
    SealedObjects,
    SubjectKeys,
  ],
})
export class EncryptionModule implements OnModuleInit {
  constructor(
    private readonly cells: Cells,
    private readonly keys: KeyRing,
    private readonly subjects: SubjectKeys,
    private readonly openers: Openers,
    private readonly fields: FieldEncryption,
    private readonly database: TenantDatabase,
  ) {}

  onModuleInit(): void {
    requireSensitiveColumns();
    const subscriber = new EncryptionSubscriber(
      this.keys,
      this.subjects,
      this.openers,
      this.fields,
      this.database,
    );
    for (const cell of this.cells.all()) cell.observe(subscriber);
  }
}
