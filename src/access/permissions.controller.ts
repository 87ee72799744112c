import { Controller, Get } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { GRANTABLE } from '../platform/http/grants.js';
import {
  DEFAULT_ROLES,
  isInTheTree,
  leastRole,
  PERMISSION_NAMES,
  PERMISSIONS,
  permissionsOf,
} from './permissions.js';
import { PermissionsDto } from './permissions.dto.js';

/** The same for everybody: it is made once. */
const CATALOGUE: PermissionsDto = {
  permissions: PERMISSION_NAMES.flatMap((name) => {
    const role = leastRole(name);
    const on = isInTheTree(name) ? [...GRANTABLE] : ['organisation'];
    return role === undefined ? [] : [{ name, role, scope: PERMISSIONS[name].scope, on }];
  }),
  roles: DEFAULT_ROLES.map((name) => ({ name, permissions: permissionsOf(name) })),
};

@Controller('v1/access')
export class PermissionsController {
  @Get('permissions')
  @Endpoint({
    permission: 'access:read',
    audit: 'access.permissions_listed',
    summary: 'Lists every permission inside an organisation, and what the default roles have.',
  })
  list(): PermissionsDto {
    return CATALOGUE;
  }
}
