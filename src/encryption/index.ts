export { BlindLookup, indexOf, slotsOf, type Indexed } from './blind-lookup.js';
export { CustomerKeys } from './customer-keys.js';
export { Encrypted, encryptedColumns, encryptedFields, type EncryptedField } from './encrypted.decorator.js';
export { EncryptionModule } from './encryption.module.js';
export { FieldEncryption, headerUnder, type Place } from './field-encryption.js';
export { FieldUnreadable, isSealedBy } from './field-codec.js';
export {
  keyServiceFault,
  KeysDestroyed,
  KeysRefused,
  KeysUnavailable,
  PersonErased,
  HeldKeyRefused,
} from './key-errors.js';
export { KeyRing, type AdoptedKey } from './key-ring.js';
export { KeySchedules, ROTATE_AFTER_DAYS } from './key-schedules.js';
export { KeyTimes } from './key-times.js';
export { CellKms, Kms } from './kms.js';
export { NewKeyVersions, type KmsKey, type NewKeyVersion } from './new-key-version.js';
export { NewRows, refusedBy } from './new-rows.js';
export { Openers } from './openers.js';
export { Sealed } from './sealed.js';
export { SealedObjects } from './sealed-objects.js';
export { nameOf, sealedColumn, sealedColumns, type SealedColumn } from './sealed-columns.js';
export type { KeyState, TenantKeys } from './tenant-keys.js';
export { adoptionOf, newSubjectKey, rewrapSubjectKey, type SubjectRow } from './subject-key.js';
export { SubjectKeys } from './subject-keys.js';
export { MoveKeys } from './move-keys.js';
