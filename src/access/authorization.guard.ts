import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { PUBLIC, type On } from '../platform/http/endpoint.js';
import { contextOf, type RequestContext } from '../platform/http/request-context.js';
import { RouteWithoutPermission } from './access.errors.js';
import { Access } from './access.js';
import { isPermission, type PermissionName } from './permissions.js';
import { wholeOf } from './resource.js';

/** Asks whether the caller may do what the route's annotation names, on what it names. A route without an annotation is refused. */
@Injectable()
export class AuthorizationGuard implements CanActivate {
  constructor(private readonly access: Access) {}

  canActivate(execution: ExecutionContext): boolean | Promise<boolean> {
    const http = execution.switchToHttp().getRequest<Request>();
    const request = contextOf(http);
    const { permission, on } = request.endpoint ?? {};
    if (permission === PUBLIC) return true;
    if (permission === undefined || !isPermission(permission)) throw new RouteWithoutPermission();
    if (!on) return this.access.admit(request, permission, wholeOf(request.tenant?.id));
    return this.#on(request, http, permission, on);
  }

  #on(request: RequestContext, http: Request, permission: PermissionName, on: On): true | Promise<true> {
    if ('rows' in on) return this.access.admitRows(request, permission, on.rows);
    if ('path' in on) {
      const id = String(http.params['id']);
      return this.access.admitOn(request, permission, { kind: on.path, id, by: 'path' });
    }
    const named = (http.body as Record<string, unknown> | undefined)?.[on.body];
    // What is not even text names nothing that could be there; the body is refused when it is read.
    const id = typeof named === 'string' ? named : '';
    return this.access.admitOn(request, permission, { kind: on.names, id, by: 'body' });
  }
}
