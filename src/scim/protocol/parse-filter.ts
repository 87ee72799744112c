import { attributePath, partPath } from './attribute-path.js';
import {
  comparedPart,
  OPERATORS,
  type AttributePath,
  type Filter,
  type FilterValue,
  type Operator,
} from './filter.js';
import { ScimError } from './scim.errors.js';
import type { Attribute, ResourceType } from './schema.js';
import { tokensOf, type Token } from './tokens.js';

/** Brackets in brackets, and comparisons in all: more than anybody asks, and far from where recursion ends. */
const DEEPEST = 32;
const MOST_COMPARISONS = 100;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/** Reads a filter of RFC 7644 section 3.4.2.2. @throws {ScimError} `invalidFilter`, whatever the text */
export function parseFilter(type: ResourceType, text: string): Filter {
  return new FilterParser(tokensOf(text, 'invalidFilter'), (word) => attributePath(type, word)).whole();
}

/** Reads what stands in the brackets behind an attribute. @throws {ScimError} */
export function parseValueFilter(attribute: Attribute, tokens: readonly Token[]): Filter {
  return new FilterParser(tokens, (word) => partPath(attribute, word)).whole();
}

class FilterParser {
  #at = 0;
  #comparisons = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly resolve: (word: string) => AttributePath,
  ) {}

  whole(): Filter {
    const filter = this.#or(0);
    if (this.#at < this.tokens.length) throw wrong('It goes on behind its end.');
    return filter;
  }

  #or(depth: number): Filter {
    return this.#chain('or', () => this.#chain('and', () => this.#term(depth)));
  }

  #chain(kind: 'and' | 'or', next: () => Filter): Filter {
    const parts = [next()];
    while (this.#keyword(kind)) parts.push(next());
    const [only] = parts;
    return parts.length === 1 && only ? only : { kind, parts };
  }

  #term(depth: number): Filter {
    if (depth > DEEPEST) throw wrong('It is nested too deep.');
    if (this.#keyword('not', '(')) return { kind: 'not', inner: this.#group(depth) };
    return this.#peek()?.kind === '(' ? this.#group(depth) : this.#comparison();
  }

  #group(depth: number): Filter {
    this.#expect('(');
    const inner = this.#or(depth + 1);
    this.#expect(')');
    return inner;
  }

  #comparison(): Filter {
    this.#comparisons += 1;
    if (this.#comparisons > MOST_COMPARISONS) throw wrong(`It compares more than ${MOST_COMPARISONS} times.`);
    const token = this.#next();
    if (token?.kind !== 'word') throw wrong('An attribute is missing.');
    const path = this.resolve(token.text);
    if (this.#peek()?.kind === '[') return this.#some(path);
    return this.#operation(path);
  }

  #some(path: AttributePath): Filter {
    const { attribute, sub } = path;
    if (!attribute.subAttributes || sub)
      throw wrong(`"${attribute.name}" has no parts to look at in brackets.`);
    this.#expect('[');
    const begin = this.#at;
    while (this.#peek() !== undefined && this.#peek()?.kind !== ']') this.#at += 1;
    const inner = parseValueFilter(attribute, this.tokens.slice(begin, this.#at));
    this.#expect(']');
    return { kind: 'some', path, inner };
  }

  #operation(path: AttributePath): Filter {
    const token = this.#next();
    const name = token?.kind === 'word' ? token.text.toLowerCase() : '';
    if (name === 'pr') return { kind: 'present', path };
    const operator = OPERATORS.find((one) => one === name);
    if (!operator) throw wrong(`An operator is missing behind "${path.attribute.name}".`);
    return { kind: 'compare', path, operator, value: this.#value(path, operator) };
  }

  #value(path: AttributePath, operator: Operator): FilterValue {
    const token = this.#next();
    if (token?.kind === 'string') return fit(comparedPart(path), operator, token.value);
    if (token?.kind !== 'word') throw wrong(`A value is missing behind "${operator}".`);
    const word = token.text.toLowerCase();
    if (word === 'null') {
      if (operator !== 'eq' && operator !== 'ne') throw wrong('null is compared by eq and ne alone.');
      return null;
    }
    if (word === 'true' || word === 'false') return fit(comparedPart(path), operator, word === 'true');
    if (NUMBER.test(token.text)) return fit(comparedPart(path), operator, Number(token.text));
    throw wrong(`"${token.text.slice(0, 200)}" is no value: texts stand in quotes.`);
  }

  #peek(): Token | undefined {
    return this.tokens[this.#at];
  }

  #next(): Token | undefined {
    const token = this.tokens[this.#at];
    this.#at += 1;
    return token;
  }

  /** Takes a keyword, where it is one: `not` may be an attribute's name as well, and is followed by a bracket otherwise. */
  #keyword(word: string, followedBy?: Token['kind']): boolean {
    const token = this.#peek();
    if (token?.kind !== 'word' || token.text.toLowerCase() !== word) return false;
    if (followedBy !== undefined && this.tokens[this.#at + 1]?.kind !== followedBy) return false;
    this.#at += 1;
    return true;
  }

  #expect(kind: Token['kind']): void {
    if (this.#next()?.kind !== kind) throw wrong(`"${kind}" is missing.`);
  }
}

/** The value in the attribute's type. Entra ID sends booleans as texts, `"True"`. */
function fit(attribute: Attribute, operator: Operator, value: string | number | boolean): FilterValue {
  const { name, type } = attribute;
  const ordered = operator !== 'eq' && operator !== 'ne';
  switch (type) {
    case 'complex':
      throw wrong(`Say which part of "${name}" is compared.`);
    case 'boolean': {
      const said = typeof value === 'string' ? value.toLowerCase() : value;
      if (ordered) throw wrong(`"${name}" is true or false: it is compared by eq and ne alone.`);
      if (said === true || said === 'true') return true;
      if (said === false || said === 'false') return false;
      throw wrong(`"${name}" is compared with true or false.`);
    }
    case 'integer':
      if (typeof value !== 'number' || /^(co|sw|ew)$/.test(operator)) throw wrong(`"${name}" is a number.`);
      return value;
    case 'dateTime':
      if (typeof value !== 'string' || !TIMESTAMP.test(value) || Number.isNaN(Date.parse(value)))
        throw wrong(`"${name}" is compared with a time, such as "2026-01-31T12:00:00Z".`);
      if (/^(co|sw|ew)$/.test(operator)) throw wrong(`"${name}" is a time: it has no parts of a text.`);
      return value;
    case 'binary':
      if (ordered) throw wrong(`"${name}" is compared by eq and ne alone.`);
      return textOf(name, value);
    default:
      return textOf(name, value);
  }
}

function textOf(name: string, value: string | number | boolean): string {
  if (typeof value === 'string') return value;
  throw wrong(`"${name}" is a text: the value stands in quotes.`);
}

function wrong(detail: string): ScimError {
  return new ScimError('invalidFilter', `The filter cannot be read. ${detail}`);
}
