import {
  actionsOf,
  parsePolicies,
  policyErrors,
  requireFilterable,
  grantablePermissions,
  Untranslatable,
  type ParsedPolicy,
  type PermissionName,
  type PolicyError,
} from '../access/index.js';
import type { FieldError } from '../platform/http/errors.js';
import { tooIntricate } from './intricacy.js';

const MOST_POLICIES = 50;
const NAME = /^[a-z][a-z0-9-]{0,59}$/;
const ARITHMETIC = ['+', '-', '*', 'neg'];

/** What is wrong with a text of policies, in words, and where; nothing where it can be put in force. */
export function checkPolicies(text: string): FieldError[] {
  const intricate = tooIntricate(text);
  if (intricate) return [wrong(`${placeOf(text.slice(0, intricate.at))}: ${intricate.message}`)];
  const unfit = policyErrors(text);
  if (unfit.length > 0) return unfit.map((error) => inWords(text, error));
  const parsed = parsePolicies(text);
  if (parsed.length === 0) return [wrong('there is no policy in the text')];
  if (parsed.length > MOST_POLICIES) return [wrong(`there are more than ${MOST_POLICIES} policies`)];
  const names = parsed.map(({ json }) => json.annotations?.['id'] ?? '');
  return parsed.flatMap((policy, at) => {
    const name = names[at] ?? '';
    const errors = [
      ...wrongName(name, names.indexOf(name) < at),
      ...wrongConditions(policy),
      ...wrongPermit(policy),
    ];
    return errors.map((detail) => wrong(`policy ${at + 1}${name === '' ? '' : ` (${name})`}: ${detail}`));
  });
}

/** Every permission that the permits of a text could give; what is forbidden is given to nobody. */
export function permittedBy(text: string): PermissionName[] {
  return [
    ...new Set(
      parsePolicies(text).flatMap(({ json }) => (json.effect === 'permit' ? (actionsOf(json) ?? []) : [])),
    ),
  ];
}

function wrongName(name: string, taken: boolean): string[] {
  if (!NAME.test(name))
    return [
      'it needs a name before it, under which decisions report it: @id("small-letters-digits-and-hyphens")',
    ];
  return taken ? ['its name is that of another policy; choose one of its own'] : [];
}

function wrongConditions({ json }: ParsedPolicy): string[] {
  if (mentions(json.conditions, ARITHMETIC))
    return ['it calculates, which may fail; compare times with durationSince, and nothing else is needed'];
  try {
    requireFilterable(json);
    return [];
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    return [
      `it looks at a resource by "${error.message}" in a way that lists cannot be filtered by; use resource.environment with has, ==, !=, like, or in a set of texts with contains; resource.tags with contains, containsAll, containsAny, isEmpty; resource with ==, in, is`,
    ];
  }
}

/** What is permitted has to be seen at once, and to be what could be granted. */
function wrongPermit({ json }: ParsedPolicy): string[] {
  if (json.effect === 'forbid') return [];
  const actions = actionsOf(json);
  if (!actions) return ['a permit names its actions: action == Action::"agent:read", or action in [...]'];
  const grantable = new Set<string>(grantablePermissions());
  const beyond = actions.filter((action) => !grantable.has(action));
  return beyond.length === 0
    ? []
    : [`nobody but an Owner has ${beyond.join(', ')}: it is not permitted to others`];
}

function mentions(part: unknown, operators: readonly string[]): boolean {
  if (Array.isArray(part)) return part.some((one) => mentions(one, operators));
  if (typeof part !== 'object' || part === null) return false;
  return Object.entries(part).some(([key, value]) => operators.includes(key) || mentions(value, operators));
}

function inWords(text: string, { message, help, start }: PolicyError): FieldError {
  const where = start === undefined ? '' : `${placeIn(text, start)}: `;
  return wrong(`${where}${message}${help === undefined ? '' : ` (${help})`}`);
}

/** Cedar counts bytes of UTF-8. */
function placeIn(text: string, byte: number): string {
  return placeOf(Buffer.from(text).subarray(0, byte).toString('utf8'));
}

/** Where a text ends that comes before. */
function placeOf(before: string): string {
  const lines = before.split('\n');
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

function wrong(detail: string): FieldError {
  return { pointer: '/text', detail };
}
