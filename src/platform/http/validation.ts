import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { InvalidRequest, type FieldError } from './errors.js';
import { unfitFields } from './unfit-values.js';

/** Bodies and queries become instances of their DTO; unknown fields are refused, not dropped. */
export function validationPipe(): ValidationPipe {
  return new StrictValidation({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    stopAtFirstError: false,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => new InvalidRequest(fieldErrors(errors, '')),
  });
}

class StrictValidation extends ValidationPipe {
  /** Nest drops such names in silence here; we say that they cannot be taken. */
  protected override stripProtoKeys(value: unknown): void {
    const unfit = unfitFields(value);
    if (unfit.length > 0) throw new InvalidRequest(unfit);
  }
}

function fieldErrors(errors: readonly ValidationError[], parent: string): FieldError[] {
  return errors.flatMap((error) => {
    // Of the whole and not of a field: a body that is a list, where an object is asked for.
    if ((error.property as string | undefined) === undefined)
      return [{ pointer: parent, detail: 'it must be an object with the fields that are documented' }];
    const pointer = `${parent}/${error.property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const own = Object.values(error.constraints ?? {}).map((detail) => ({ pointer, detail }));
    return [...own, ...fieldErrors(error.children ?? [], pointer)];
  });
}
