import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { PUBLIC } from '../platform/http/endpoint.js';
import { AppError } from '../platform/http/errors.js';
import { contextOf } from '../platform/http/request-context.js';
import { Authorizer } from './authorizer.js';
import { isPermission, PERMISSIONS } from './permissions.js';

export class PermissionDenied extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'PERMISSION_DENIED';
  constructor(permission: string, scope: string) {
    super(
      `You lack the permission ${permission}. Ask an administrator for a role that has it; an API key or a client needs the scope ${scope} too.`,
    );
  }
}

/** Asks the authorizer for what the route's annotation names. A route without an annotation is refused. */
@Injectable()
export class AuthorizationGuard implements CanActivate {
  constructor(private readonly authorizer: Authorizer) {}

  canActivate(execution: ExecutionContext): boolean {
    const request = contextOf(execution.switchToHttp().getRequest<Request>());
    const permission = request.endpoint?.permission;
    if (permission === PUBLIC) return true;
    if (permission === undefined || !isPermission(permission))
      throw new PermissionDenied('of this route', 'none');
    const decision = this.authorizer.decide(request.actor, permission, request.tenant?.id);
    request.policies = decision.policies;
    if (!decision.allowed) throw new PermissionDenied(permission, PERMISSIONS[permission].scope);
    return true;
  }
}
