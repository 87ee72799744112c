import { InvalidRequest, type FieldError } from '../platform/http/errors.js';
import type { DestinationKind, DestinationSettings } from './destination.entity.js';
import type { UpdateDestinationDto } from './destinations.dto.js';

/** Which fields each kind has. */
const FIELDS: Readonly<Record<DestinationKind, readonly (keyof UpdateDestinationDto)[]>> = {
  splunk_hec: ['url', 'credential', 'index', 'sourcetype', 'personalData'],
  datadog: ['url', 'credential', 'service', 'tags', 'personalData'],
  webhook: ['url', 'personalData'],
  stdout: ['personalData'],
};
const ALL = ['url', 'credential', 'index', 'sourcetype', 'service', 'tags', 'personalData'] as const;

/**
 * The settings that a body asks for, over those that there are.
 * @throws {InvalidRequest} naming each field that the kind does not have, or that is wrong
 */
export function checkedSettings(
  kind: DestinationKind,
  body: UpdateDestinationDto,
  before: DestinationSettings | undefined,
  plainHttp: boolean,
): DestinationSettings {
  const own = FIELDS[kind];
  const errors: FieldError[] = ALL.filter((field) => body[field] !== undefined && !own.includes(field)).map(
    (field) => ({ pointer: `/${field}`, detail: `${field} is no setting of the kind ${kind}` }),
  );
  const missing = (['url', 'credential'] as const).filter(
    (field) => before === undefined && own.includes(field) && body[field] === undefined,
  );
  errors.push(
    ...missing.map((field) => ({ pointer: `/${field}`, detail: `${field} is needed for the kind ${kind}` })),
  );
  if (body.url !== undefined && !plainHttp && !/^https:/i.test(body.url))
    errors.push({ pointer: '/url', detail: 'url must begin with https://' });
  if (errors.length > 0) throw new InvalidRequest(errors);
  const { url, index, sourcetype, service, tags, personalData } = body;
  return {
    ...before,
    ...(url !== undefined && { url }),
    ...(index !== undefined && { index }),
    ...(sourcetype !== undefined && { sourcetype }),
    ...(service !== undefined && { service }),
    ...(tags !== undefined && { tags }),
    personalData: personalData ?? before?.personalData ?? true,
  };
}
