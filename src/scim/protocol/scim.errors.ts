import { AppError, type ErrorKind } from '../../platform/http/errors.js';

/** RFC 7644 section 3.12, and RFC 9865 section 4. */
export type ScimType =
  | 'invalidFilter'
  | 'tooMany'
  | 'uniqueness'
  | 'mutability'
  | 'invalidSyntax'
  | 'invalidPath'
  | 'noTarget'
  | 'invalidValue'
  | 'invalidCursor';

/** What is wrong with a request of a directory, in words that its administrator reads in the directory's own log. */
export class ScimError extends AppError {
  readonly kind: ErrorKind;
  readonly code = 'SCIM_REFUSED';
  override readonly scimType?: ScimType;
  override readonly auditCode: string;

  constructor(scimType: ScimType, message: string) {
    super(message);
    this.kind = scimType === 'uniqueness' ? 'conflict' : 'invalid';
    this.scimType = scimType;
    this.auditCode = `SCIM_${scimType.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
  }
}
