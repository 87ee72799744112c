import { SetRefused } from './shared-signals.errors.js';

/** Whom a security event is about, as RFC 9493 has it, of what is understood here. */
export type Subject =
  | { readonly format: 'iss_sub'; readonly issuer: string; readonly subject: string }
  | { readonly format: 'email'; readonly email: string }
  /** Accepted, and nobody here: `opaque`, `phone_number`, a device without its user, and the like. */
  | { readonly format: 'unknown'; readonly named: string };

const LONGEST = 1_000;
/** So many members has a complex subject at most: user, device, session, application, tenant, org_unit, group, and room. */
const MOST_MEMBERS = 20;

/** @throws {SetRefused} where it is no subject at all */
export function readSubject(given: unknown): Subject {
  const subject = record(given);
  // Of drafts that RISC transmitters still go by: `subject_type`, written with a hyphen.
  const named = subject['format'] ?? subject['subject_type'];
  const format = typeof named === 'string' ? named.replaceAll('-', '_') : undefined;
  if (format === 'complex' || (format === undefined && 'user' in subject)) return ofUser(subject);
  if (format === undefined || format.length > LONGEST) throw refused('The subject has no format (RFC 9493).');
  if (format === 'iss_sub') return { format, issuer: text(subject, 'iss'), subject: text(subject, 'sub') };
  if (format === 'email') return { format, email: text(subject, 'email') };
  return { format: 'unknown', named: format.slice(0, 100) };
}

/** Of a complex subject it is the person who counts: what concerns one session or device of theirs concerns all here. */
function ofUser(subject: Record<string, unknown>): Subject {
  if (Object.keys(subject).length > MOST_MEMBERS) throw refused('The subject has too many members.');
  const user = subject['user'];
  if (user === undefined) return { format: 'unknown', named: 'complex' };
  const inner = record(user);
  if (inner['format'] === 'complex' || 'user' in inner)
    throw refused('The user of the subject is complex itself.');
  return readSubject(inner);
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refused('The event says not whom it is about: sub_id must be an object (RFC 9493).');
  return value as Record<string, unknown>;
}

function text(subject: Record<string, unknown>, name: string): string {
  const value = Object.hasOwn(subject, name) ? subject[name] : undefined;
  if (typeof value !== 'string' || value === '' || value.length > LONGEST)
    throw refused(`The subject needs ${name}, a text of at most ${LONGEST} characters.`);
  return value;
}

function refused(why: string): SetRefused {
  return new SetRefused('invalid_request', why);
}
