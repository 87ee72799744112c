import type * as cedar from '@cedar-policy/cedar-wasm/nodejs';

/** What a list's rows are: a run is read by whoever reads its agent's. */
export type RowKind = 'project' | 'agent' | 'run';

/** Which rows somebody may read: all, none, or those of which something is true. */
export type Condition =
  | boolean
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | { readonly within: { readonly type: 'Project' | 'Agent'; readonly id: string } }
  | { readonly is: { readonly type: 'Project' | 'Agent'; readonly id: string } }
  | { readonly environment: 'any' | { readonly oneOf: readonly string[] } | { readonly like: string } }
  | { readonly tags: 'none' | { readonly all: readonly string[] } | { readonly any: readonly string[] } };

/** A policy looks at a resource in a way that no list can be filtered by. Policies are checked for that when they are written. */
export class Untranslatable extends Error {}

/** What Cedar leaves of policies when everything is known but the resource. */
export type Residuals = Readonly<Record<string, cedar.PolicyJson>>;
type Expression = Readonly<Record<string, unknown>>;

export function allOf(conditions: readonly Condition[]): Condition {
  const open = conditions.filter((condition) => condition !== true);
  if (open.includes(false)) return false;
  return open.length === 0 ? true : open.length === 1 ? (open[0] ?? true) : { all: open };
}

export function anyOf(conditions: readonly Condition[]): Condition {
  const open = conditions.filter((condition) => condition !== false);
  if (open.includes(true)) return true;
  return open.length === 0 ? false : open.length === 1 ? (open[0] ?? false) : { any: open };
}

export function not(condition: Condition): Condition {
  return typeof condition === 'boolean' ? !condition : { not: condition };
}

/** A policy's condition on rows of a kind, in the organisation given. @throws {Untranslatable} */
export function conditionOf(policy: cedar.PolicyJson, kind: RowKind, tenant: string): Condition {
  const read = new Translation(kind, tenant);
  return allOf(
    policy.conditions.map(({ kind: word, body }) =>
      word === 'when'
        ? read.condition(body as unknown as Expression)
        : not(read.condition(body as unknown as Expression)),
    ),
  );
}

/** Throws where no list could be filtered by a policy, whoever asks. @throws {Untranslatable} */
export function requireFilterable(policy: cedar.PolicyJson): void {
  const conditions = policy.conditions.map(({ kind, body }) => ({
    kind,
    body: withoutKnown(body as unknown as Expression) as unknown as cedar.Expr,
  }));
  for (const kind of ['project', 'agent'] as const) conditionOf({ ...policy, conditions }, kind, '');
}

const CONNECTIVES = new Set(['&&', '||', '!', 'if-then-else']);

/** A condition in which what is about no resource is taken as true: it will be known. */
function withoutKnown(expression: Expression): Expression {
  if (!mentionsResource(expression)) return { Value: true };
  return Object.fromEntries(
    Object.entries(expression).map(([operator, operand]) => [
      operator,
      CONNECTIVES.has(operator)
        ? Object.fromEntries(
            Object.entries(operand as Record<string, Expression>).map(([side, part]) => [
              side,
              withoutKnown(part),
            ]),
          )
        : operand,
    ]),
  );
}

function mentionsResource(part: unknown): boolean {
  if (Array.isArray(part)) return part.some(mentionsResource);
  if (typeof part !== 'object' || part === null) return false;
  return isResource(part as Expression) || Object.values(part).some(mentionsResource);
}

class Translation {
  readonly #type: 'Project' | 'Agent';

  constructor(
    kind: RowKind,
    private readonly tenant: string,
  ) {
    this.#type = kind === 'project' ? 'Project' : 'Agent';
  }

  condition(expression: Expression): Condition {
    const [[operator, operand] = ['', undefined]] = Object.entries(expression);
    const { left, right, arg } = (operand ?? {}) as Record<string, Expression>;
    switch (operator) {
      case 'Value':
        if (typeof operand === 'boolean') return operand;
        break;
      case '&&':
        if (left && right) return allOf([this.condition(left), this.condition(right)]);
        break;
      case '||':
        if (left && right) return anyOf([this.condition(left), this.condition(right)]);
        break;
      case '!':
        if (arg) return not(this.condition(arg));
        break;
      case 'if-then-else':
        return this.#choice(operand as Record<'if' | 'then' | 'else', Expression>);
      case 'is':
        return this.#is(operand as IsOperand);
      case 'in':
        if (left && right && isResource(left))
          return anyOf(entitiesIn(right).map((one) => this.#within(one)));
        break;
      case '==':
        if (left && right) return this.#equals(left, right);
        break;
      case '!=':
        if (left && right) return not(this.#equals(left, right));
        break;
      default:
        return this.#ofLabels(operator, operand as LabelOperand);
    }
    throw new Untranslatable(operator);
  }

  #choice(choice: Record<'if' | 'then' | 'else', Expression>): Condition {
    const given = this.condition(choice.if);
    return anyOf([
      allOf([given, this.condition(choice.then)]),
      allOf([not(given), this.condition(choice.else)]),
    ]);
  }

  #is({ left, entity_type, in: within }: IsOperand): Condition {
    if (!isResource(left)) throw new Untranslatable('is');
    if (entity_type !== this.#type) return false;
    return within ? this.condition({ in: { left, right: within } }) : true;
  }

  #within({ type, id }: cedar.TypeAndId): Condition {
    if (type === 'Organisation') return id === this.tenant;
    if (type === 'Project') return { within: { type, id } };
    // Nothing but an agent is in an agent, as far as lists have rows.
    return type === 'Agent' && this.#type === 'Agent' ? { within: { type, id } } : false;
  }

  #equals(left: Expression, right: Expression): Condition {
    const [one, other] = isLiteral(left) ? [right, left] : [left, right];
    if (isResource(one)) {
      const entity = entityIn(other);
      return entity?.type === this.#type ? { is: { type: this.#type, id: entity.id } } : false;
    }
    if (attributeOf(one) === 'environment') return { environment: { oneOf: [textOf(other)] } };
    throw new Untranslatable('==');
  }

  #ofLabels(operator: string, operand: LabelOperand): Condition {
    const { left, right, arg, attr, pattern } = operand;
    if (operator === 'has' && left && isResource(left)) {
      const names = Array.isArray(attr) ? attr : [attr];
      if (names.length === 1 && names[0] === 'environment') return { environment: 'any' };
      if (names.length === 1 && names[0] === 'tags') return true;
    }
    if (operator === 'like' && left && attributeOf(left) === 'environment' && Array.isArray(pattern))
      return { environment: { like: likePattern(pattern) } };
    if (operator === 'isEmpty' && arg && attributeOf(arg) === 'tags') return { tags: 'none' };
    if (left && right && attributeOf(left) === 'tags') {
      if (operator === 'contains') return { tags: { all: [textOf(right)] } };
      if (operator === 'containsAll') return { tags: { all: textsOf(right) } };
      if (operator === 'containsAny') return { tags: { any: textsOf(right) } };
    }
    if (operator === 'contains' && left && right && attributeOf(right) === 'environment')
      return { environment: { oneOf: textsOf(left) } };
    throw new Untranslatable(operator);
  }
}

interface IsOperand {
  readonly left: Expression;
  readonly entity_type: string;
  readonly in?: Expression;
}

interface LabelOperand {
  readonly left?: Expression;
  readonly right?: Expression;
  readonly arg?: Expression;
  readonly attr?: string | readonly string[];
  readonly pattern?: unknown;
}

/** `resource`, in the policy as it was written and in what is left of one. */
export function isResource(expression: Expression): boolean {
  if (expression['Var'] === 'resource') return true;
  const unknown = expression['unknown'] as { Value?: unknown }[] | undefined;
  return unknown?.[0]?.Value === 'resource';
}

function attributeOf(expression: Expression): string | undefined {
  const access = expression['.'] as { left: Expression; attr: string } | undefined;
  return access && isResource(access.left) ? access.attr : undefined;
}

function isLiteral(expression: Expression): boolean {
  return 'Value' in expression || 'Set' in expression;
}

function entityIn(expression: Expression): cedar.TypeAndId | undefined {
  return (expression['Value'] as { __entity?: cedar.TypeAndId } | undefined)?.__entity;
}

function entitiesIn(expression: Expression): cedar.TypeAndId[] {
  const found = membersOf(expression).map(entityIn);
  return found.map((entity) => {
    if (!entity) throw new Untranslatable('in');
    return entity;
  });
}

/** A set's members as expressions; one that stands alone is its own. */
function membersOf(expression: Expression): Expression[] {
  if (Array.isArray(expression['Set'])) return expression['Set'] as Expression[];
  const value = expression['Value'];
  return Array.isArray(value) ? value.map((one: unknown) => ({ Value: one })) : [expression];
}

function textOf(expression: Expression): string {
  const value = expression['Value'];
  if (typeof value !== 'string') throw new Untranslatable('value');
  return value;
}

function textsOf(expression: Expression): string[] {
  return membersOf(expression).map(textOf);
}

/** Cedar's pattern as SQL's, whose own signs are escaped. */
function likePattern(pattern: readonly unknown[]): string {
  return pattern
    .map((part) =>
      part === 'Wildcard'
        ? '%'
        : (part as { Literal: string }).Literal.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`),
    )
    .join('');
}
