import { Global, Module } from '@nestjs/common';
import { FieldEncryption } from './field-encryption.js';
import { KeyRing } from './key-ring.js';

/** Global: encryption is part of storing, in every room. The Kms port is bound by the composition root. */
@Global()
@Module({ providers: [KeyRing, FieldEncryption], exports: [KeyRing, FieldEncryption] })
export class EncryptionModule {}
