import { Param, type PipeTransform } from '@nestjs/common';
import { isTenantId, type TenantId } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';

/** What is not even an id cannot exist: 404, as for an id that there is none of. */
class TenantIdPipe implements PipeTransform<string, TenantId> {
  transform(value: string): TenantId {
    if (!isTenantId(value)) throw new ResourceNotFound('organisation');
    return value;
  }
}

/** The organisation's id in the path. */
export function OrganisationId(): ParameterDecorator {
  return Param('id', new TenantIdPipe());
}
