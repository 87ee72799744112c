import { v7 as uuidv7 } from 'uuid';
import { AppError, ResourceNotFound, type DeniedAccess } from '../platform/http/errors.js';
import { leastRole, PERMISSIONS, type PermissionName } from './permissions.js';

/** Nothing permits it, or something forbids it. Says whom to ask for what, and not what the policies are. */
export class PermissionDenied extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'PERMISSION_DENIED';
  override readonly access: DeniedAccess;

  constructor(permission: PermissionName, decisionId: string, forbidden: boolean) {
    const role = leastRole(permission);
    const { scope } = PERMISSIONS[permission];
    const askFor =
      role === undefined ? 'the operator' : role === 'Owner' ? 'an Owner' : 'an Owner or an Admin';
    super(
      forbidden
        ? `A policy forbids ${permission} here. Ask ${askFor} of the organisation, and name the decision ${decisionId}.`
        : `You lack the permission ${permission} here. Ask ${askFor} for ${
            role === undefined ? 'it' : `the role ${role}, or another that has it`
          }; an API key or a client needs the scope ${scope} too.`,
    );
    this.access = { decisionId, permission, ...(role !== undefined && { role }), askFor };
  }
}

/**
 * What somebody may not do on something that they may not even read, or on what there is not: the two are told alike. Whom they
 * name the decision to finds in the log which it was.
 */
export class HiddenResource extends ResourceNotFound {
  override readonly access: DeniedAccess;

  constructor(resource: string, permission: PermissionName) {
    super(resource);
    this.access = { decisionId: uuidv7(), permission, askFor: 'an Owner or an Admin' };
  }
}

/** A route that names no permission is for nobody. */
export class RouteWithoutPermission extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'PERMISSION_DENIED';
  constructor() {
    super('Nobody may call this.');
  }
}
