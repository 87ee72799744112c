import { comparable } from './protocol/evaluate-filter.js';
import type { Operator } from './protocol/filter.js';
import type { Values } from './narrowed.js';

/** A comparison of texts as filters make it, in SQL: `exact` but for what only looking can tell. */
export interface FoldedText {
  readonly write: (values: Values) => string;
  readonly exact: boolean;
}

/**
 * A comparison of a text of whatever script with what a filter asks for, as `comparable` has both: in one way of writing,
 * and where case says nothing in small letters. Which those are a database and we may see differently, as do versions of
 * Unicode; so SQL is told which capitals the letters that are asked for have. Undefined where SQL cannot tell.
 */
export function folded(
  operator: Operator,
  column: string,
  value: string,
  caseExact: boolean,
): FoldedText | undefined {
  const wanted = comparable({ caseExact }, value);
  if (wanted === '' || !wanted.isWellFormed()) return undefined;
  const written = `normalize(${column}, NFC)`;
  if (caseExact) return compared(operator, () => `(${written} COLLATE "C")`, wanted);
  const letters = [...new Set(wanted)];
  const pairs = letters.flatMap((small) => [...(capitals().get(small) ?? [])].map((large) => [large, small]));
  // The one capital that becomes two characters.
  const dotted = `replace(${written}, U&'\\0130', U&'i\\0307')`;
  const own = (values: Values): string =>
    `(translate(${dotted}, ${values.add(pairs.map(([large]) => large).join(''))}, ${values.add(pairs.map(([, small]) => small).join(''))}) COLLATE "C")`;
  const told = compared(operator, own, wanted);
  // The one capital whose small letter depends on where it stands.
  if (!told || !/[σς]/.test(wanted)) return told;
  return { write: (values) => `${told.write(values)} OR position('Σ' IN ${written}) > 0`, exact: false };
}

function compared(
  operator: Operator,
  own: (values: Values) => string,
  wanted: string,
): FoldedText | undefined {
  const write = writing(operator, own, wanted);
  return write && { write, exact: true };
}

function writing(
  operator: Operator,
  own: (values: Values) => string,
  wanted: string,
): FoldedText['write'] | undefined {
  switch (operator) {
    case 'eq':
      return (values) => `coalesce(${own(values)} = ${values.add(wanted)}, false)`;
    case 'ne':
      return (values) => `${own(values)} IS DISTINCT FROM ${values.add(wanted)}`;
    case 'co':
      return (values) => `coalesce(position(${values.add(wanted)} IN ${own(values)}) > 0, false)`;
    case 'sw':
      return (values) => `coalesce(starts_with(${own(values)}, ${values.add(wanted)}), false)`;
    case 'ew':
      return (values) =>
        `coalesce(right(${own(values)}, ${[...wanted].length}) = ${values.add(wanted)}, false)`;
    default:
      return undefined;
  }
}

/** Beyond, no letter has a case. */
const LAST_WITH_CASE = 0x1ffff;
let known: Map<string, string> | undefined;

/** The capitals of each small letter, as we see them. */
function capitals(): ReadonlyMap<string, string> {
  if (known) return known;
  known = new Map();
  for (let code = 0; code <= LAST_WITH_CASE; code += 1) {
    const large = String.fromCodePoint(code);
    const small = large.toLowerCase();
    if (small !== large && [...small].length === 1) known.set(small, `${known.get(small) ?? ''}${large}`);
  }
  return known;
}
