import type { Type } from '@nestjs/common';
import type { AppError } from './errors.js';

/** How the errors of a route are written where a standard of its own says so; problem+json (RFC 9457) otherwise. */
export interface ErrorForm {
  readonly mediaType: string;
  /** What describes the body in the reference. */
  readonly type: Type<unknown>;
  readonly body: (error: AppError) => object;
  /** Headers of an error beyond those of all. */
  readonly headers?: (error: AppError) => Readonly<Record<string, string>>;
}
