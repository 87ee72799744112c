export { Encrypted, encryptedColumns } from './encrypted.decorator.js';
export { EncryptionModule } from './encryption.module.js';
export { FieldEncryption, type Place } from './field-encryption.js';
export { FieldUnreadable } from './field-codec.js';
export { KeyRing } from './key-ring.js';
export { CellKms, Kms } from './kms.js';
export { Sealed } from './sealed.js';
export { MoveKeys } from './move-keys.js';
