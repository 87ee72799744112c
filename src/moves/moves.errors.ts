import { AppError } from '../platform/http/errors.js';

export class SameCell extends AppError {
  readonly kind = 'conflict';
  readonly code = 'SAME_CELL';
  constructor(cell: string) {
    super(`The organisation lives in ${cell} already. Name another cell.`);
  }
}

export class CellFull extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'CELL_FULL';
  constructor(cell: string) {
    super(`${cell} has the organisations that it takes. Name another cell, or raise its capacity in CELLS.`);
  }
}

export class RegionNotConfirmed extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'REGION_NOT_CONFIRMED';
  constructor(region: string) {
    super(
      `All data of the organisation would leave its region. If that is meant, send "confirmRegion": "${region}".`,
    );
  }
}

export class TenantNotActive extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TENANT_NOT_ACTIVE';
  constructor(status: string) {
    super(`The organisation is ${status}. Only an active one can be moved.`);
  }
}

export class NotCancellable extends AppError {
  readonly kind = 'conflict';
  readonly code = 'NOT_CANCELLABLE';
  constructor() {
    super('The operation is over, or past the point from which it can only go forward.');
  }
}
