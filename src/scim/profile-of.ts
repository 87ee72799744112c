import { isEmail, isPhoneNumber } from 'class-validator';
import type { ProvidedProfile } from '../auth/index.js';
import type { Mapping } from './directory-row.js';
import { fits, isFields, type Fields, type Json } from './protocol/evaluate-filter.js';
import { parsePath } from './protocol/patch-request.js';
import { isPrimary } from './protocol/read-value.js';
import { USER_TYPE } from './protocol/resource-types.js';
import { ScimError } from './protocol/scim.errors.js';

const LONGEST_EMAIL = 254;
const LONGEST_NAME = 200;

/**
 * What an account has of what a directory says. Without an address there is one that nothing can be sent to (RFC 2606), as
 * accounts are told apart by theirs.
 */
export function profileOf(id: string, resource: Fields, mapping: Mapping): ProvidedProfile {
  const email = mapping.email === undefined ? preferredEmail(resource) : textAt(mapping.email, resource);
  return {
    email: email !== undefined && isAddress(email) ? email : `${id}@no-address.invalid`,
    displayName: nameOf(resource, mapping)?.slice(0, LONGEST_NAME),
    phone: phoneOf(resource, mapping),
  };
}

/** A mapping names one attribute that is a text. @throws {ScimError} */
export function requireMapping(mapping: Mapping): void {
  for (const path of Object.values(mapping) as string[]) {
    const target = parsePath(USER_TYPE, path);
    const isText = !('wholeExtension' in target) && (target.sub ?? target.attribute).type === 'string';
    if (!isText) throw new ScimError('invalidPath', `"${path}" is no attribute that is a text.`);
  }
}

function preferredEmail(resource: Fields): string | undefined {
  const emails = itemsOf(resource, 'emails');
  const preferred =
    emails.find(isPrimary) ?? emails.find((one) => isFields(one) && one['type'] === 'work') ?? emails[0];
  const value = isFields(preferred) ? preferred['value'] : undefined;
  if (typeof value === 'string') return value.trim();
  const { userName } = resource;
  return typeof userName === 'string' ? userName.trim() : undefined;
}

function nameOf(resource: Fields, { displayName }: Mapping): string | undefined {
  if (displayName !== undefined) return textAt(displayName, resource);
  const name = isFields(resource['name']) ? resource['name'] : {};
  const parts = [name['givenName'], name['familyName']].filter((part) => typeof part === 'string');
  const candidates = [resource['displayName'], name['formatted'], parts.join(' ')];
  return candidates.find((one): one is string => typeof one === 'string' && one !== '');
}

/** In the international form alone: what cannot be called is none. */
function phoneOf(resource: Fields, { phone }: Mapping): string | undefined {
  const numbers = itemsOf(resource, 'phoneNumbers');
  const preferred = numbers.find(isPrimary) ?? numbers[0];
  const said =
    phone === undefined && isFields(preferred) ? preferred['value'] : phone && textAt(phone, resource);
  if (typeof said !== 'string') return undefined;
  const digits = said.replace(/^tel:/i, '').replaceAll(/[\s().-]/g, '');
  return /^\+[1-9]\d{6,14}$/.test(digits) && isPhoneNumber(digits) ? digits : undefined;
}

function textAt(text: string, resource: Fields): string | undefined {
  const path = parsePath(USER_TYPE, text);
  if ('wholeExtension' in path) return undefined;
  const home = path.extension === undefined ? resource : resource[path.extension];
  const value = isFields(home) ? home[path.attribute.name] : undefined;
  const items = (Array.isArray(value) ? value : [value]) as readonly (Json | undefined)[];
  const { filter, sub } = path;
  const item = filter ? items.find((one) => isFields(one) && fits(filter, one)) : items[0];
  const found = sub ? (isFields(item) ? item[sub.name] : undefined) : item;
  return typeof found === 'string' && found.trim() !== '' ? found.trim() : undefined;
}

function itemsOf(resource: Fields, name: string): readonly Json[] {
  const value = resource[name];
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function isAddress(text: string): boolean {
  return text.length <= LONGEST_EMAIL && isEmail(text);
}
