import type { FieldError } from './errors.js';

/** Deeper than anybody nests, and far from where recursion over a body ends the call stack. */
const MAX_DEPTH = 64;
const MAX_REPORTED = 20;
/**
 * Names that every object inherits. The validation libraries take them for known fields (class-validator), or drop them
 * without a word (Nest, class-transformer).
 */
const RESERVED_NAMES = new Set([...Object.getOwnPropertyNames(Object.prototype), 'prototype']);

/** Whether parsed JSON is nested so deep that it must not be looked at by anything recursive. */
export function isNestedTooDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true;
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
  return false;
}

/**
 * What stands in a parsed body or query and could not be stored as it is: text that PostgreSQL cannot hold (U+0000) or
 * UTF-8 cannot encode (halves of surrogate pairs), numbers that became infinite, names that every object has. It is
 * refused by name, so that nothing is ever altered on its way in.
 */
export function unfitFields(value: unknown): FieldError[] {
  const found: FieldError[] = [];
  collect(value, '', found);
  return found.slice(0, MAX_REPORTED);
}

function collect(value: unknown, pointer: string, found: FieldError[]): void {
  if (typeof value === 'string') {
    if (isUnfitText(value)) found.push({ pointer, detail: UNFIT_TEXT });
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value)) found.push({ pointer, detail: 'is a number that is too large' });
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      const where = `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (isUnfitText(name)) found.push({ pointer, detail: `has a field whose name ${UNFIT_TEXT}` });
      else if (RESERVED_NAMES.has(name))
        found.push({ pointer: where, detail: 'no field may have this name' });
      else collect(item, where, found);
    }
  }
}

const UNFIT_TEXT = 'must be well-formed Unicode without the character U+0000';

function isUnfitText(text: string): boolean {
  return text.includes('\0') || !text.isWellFormed();
}
