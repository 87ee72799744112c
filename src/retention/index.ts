export { LegalHolds } from './legal-holds.js';
export { LegalHoldReasonDto } from './retention.dto.js';
export { LegalHold } from './retention.errors.js';
export { RetentionKeeper } from './retention-keeper.js';
export { RetentionModule } from './retention.module.js';
