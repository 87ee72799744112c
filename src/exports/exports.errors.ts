import { AppError } from '../platform/http/errors.js';

export class TooManyExports extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_EXPORTS';
  constructor(limit: number) {
    super(
      `${limit} exports are kept already. Delete one with DELETE /v1/audit/exports/{id}, or wait until one expires.`,
    );
  }
}

export class AuditExportNotReady extends AppError {
  readonly kind = 'conflict';
  readonly code = 'AUDIT_EXPORT_NOT_READY';
  constructor() {
    super('There is no content of this export: GET /v1/audit/exports/{id} says whether it is being written.');
  }
}
