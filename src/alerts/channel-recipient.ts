import { InvalidRequest, type FieldError } from '../platform/http/errors.js';
import type { ChannelKind, Recipient } from './channel.entity.js';
import type { UpdateChannelDto } from './channels.dto.js';

type Field = 'url' | 'credential' | 'to';
const FIELDS: Readonly<
  Record<ChannelKind, { readonly needed: readonly Field[]; readonly may: readonly Field[] }>
> = {
  pagerduty: { needed: ['credential'], may: ['url'] },
  webhook: { needed: ['url'], may: [] },
  email: { needed: ['to'], may: [] },
};

/**
 * Whom a body names, over whom there was before.
 * @throws {InvalidRequest} naming each field that the kind does not have, or that is wrong
 */
export function checkedRecipient(
  kind: ChannelKind,
  body: UpdateChannelDto,
  before: Recipient | undefined,
  plainHttp: boolean,
): Recipient {
  const { needed, may } = FIELDS[kind];
  const errors: FieldError[] = [];
  for (const field of ['url', 'credential', 'to'] as const) {
    const detail =
      body[field] === undefined
        ? before === undefined && needed.includes(field) && `${field} is needed for the kind ${kind}`
        : ![...needed, ...may].includes(field) && `${field} is no field of the kind ${kind}`;
    if (detail) errors.push({ pointer: `/${field}`, detail });
  }
  if (body.url !== undefined && !plainHttp && !/^https:/i.test(body.url))
    errors.push({ pointer: '/url', detail: 'url must begin with https://' });
  if (errors.length > 0) throw new InvalidRequest(errors);
  return {
    ...before,
    ...(body.url !== undefined && { url: body.url }),
    ...(body.credential !== undefined && { secret: body.credential }),
    ...(body.to !== undefined && { to: body.to }),
  };
}
