import { AppError, type DeniedAccess } from '../platform/http/errors.js';
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

/** A route that names no permission is for nobody. */
export class RouteWithoutPermission extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'PERMISSION_DENIED';
  constructor() {
    super('Nobody may call this.');
  }
}
