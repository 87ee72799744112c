import { Global, Module, type OnModuleInit } from '@nestjs/common';
import { Cells } from '../platform/database/index.js';
import { EncryptionSubscriber } from './encryption.subscriber.js';
import { FieldEncryption } from './field-encryption.js';
import { KeyRing } from './key-ring.js';
import { MoveKeys } from './move-keys.js';
import { requireSensitiveColumns } from './sensitive-columns.js';

/** Global: encryption is part of storing, in every room. The keys of each cell are bound by the composition root. */
@Global()
@Module({ providers: [KeyRing, FieldEncryption, MoveKeys], exports: [KeyRing, FieldEncryption, MoveKeys] })
export class EncryptionModule implements OnModuleInit {
  constructor(
    private readonly cells: Cells,
    private readonly keys: KeyRing,
  ) {}

  onModuleInit(): void {
    requireSensitiveColumns();
    const subscriber = new EncryptionSubscriber(this.keys);
    for (const cell of this.cells.all()) cell.observe(subscriber);
  }
}
