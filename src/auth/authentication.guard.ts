import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Credential } from '../platform/http/credential.js';
import { PUBLIC } from '../platform/http/endpoint.js';
import { contextOf, type RequestContext } from '../platform/http/request-context.js';
import { AuthenticationRequired } from './auth.errors.js';
import { Authenticate } from './authenticate.js';

/** Verifies the credential and says who acts. On public routes a credential is not looked at. */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(private readonly authenticate: Authenticate) {}

  canActivate(execution: ExecutionContext): boolean | Promise<boolean> {
    const http = execution.switchToHttp().getRequest<Request>();
    const request = contextOf(http);
    if (request.endpoint?.permission === PUBLIC) return true;
    const { credential } = request;
    if (!credential) throw new AuthenticationRequired();
    const remembered = this.authenticate.remembered(request, http);
    if (!remembered) return this.#authenticate(credential, request, http);
    request.actor = remembered;
    return true;
  }

  async #authenticate(credential: Credential, request: RequestContext, http: Request): Promise<boolean> {
    request.actor = await this.authenticate.actor(credential, request, http);
    return true;
  }
}
