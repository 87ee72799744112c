import { applyDecorators, type Type as Class } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsISO8601, IsObject, Matches, ValidateIf, ValidateNested } from 'class-validator';

/** A field that may be left out. class-validator's own `IsOptional` lets `null` through as well, which no handler expects. */
export function Optional(): PropertyDecorator {
  return ValidateIf((_body, value) => value !== undefined);
}

/** The same, where `null` means something: that what there is be taken away. */
export function OptionalOrNull(): PropertyDecorator {
  return ValidateIf((_body, value) => value !== undefined && value !== null);
}

/** A field that has to be there, and may be `null`. */
export function Nullable(): PropertyDecorator {
  return ValidateIf((_body, value) => value !== null);
}

/**
 * An object with fields of its own, or a list of such with `each`. class-validator's `ValidateNested` alone takes a list of
 * them where one is wanted, which no handler expects.
 */
export function Nested(type: () => Class, options: { readonly each?: boolean } = {}): PropertyDecorator {
  return applyDecorators(IsObject(options), ValidateNested(options), Type(type));
}

/** The fields that a body says something of; an instance of its class has the others too, undefined. */
export function givenFields(body: object): string[] {
  return Object.entries(body).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

/** A telephone number in the international form of ITU-T E.164: `+`, the country's code, fifteen digits at most in all. */
export function IsPhone(): PropertyDecorator {
  return Matches(/^\+[1-9]\d{6,14}$/, {
    message: '$property must be a telephone number in E.164, such as +4930901820',
  });
}

const RFC_3339 =
  /^(?!0000)\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$/;

/** A point in time in RFC 3339; of ISO 8601's other forms (weeks, ordinal days, no zone) the database knows some, some not. */
export function IsTimestamp(): PropertyDecorator {
  return applyDecorators(
    IsISO8601({ strict: true }),
    Matches(RFC_3339, { message: '$property must be a time in RFC 3339, such as 2026-01-31T12:00:00Z' }),
  );
}
