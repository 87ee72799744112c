/**
 * Loaded before the built application by `bench/auth.ts`, into a process of its own that nobody else reaches: nobody looks at
 * a credential, and who acts is what a header says. All else of a request is as always, so that what the two processes differ
 * in is what authentication costs.
 */
import type { ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type * as guards from '../src/auth/authentication.guard.ts';
import type * as contexts from '../src/platform/http/request-context.ts';

const built = (file: string): string => new URL(`../dist/${file}`, import.meta.url).href;
const { AuthenticationGuard } = (await import(built('auth/authentication.guard.js'))) as typeof guards;
const { contextOf } = (await import(built('platform/http/request-context.js'))) as typeof contexts;

/** One object for each person, as of those who have shown a credential before. */
const actors = new Map<string, contexts.Actor>();

AuthenticationGuard.prototype.canActivate = (execution: ExecutionContext): boolean => {
  const http = execution.switchToHttp().getRequest<Request>();
  const request = contextOf(http);
  const id = String(http.headers['x-bench-user']);
  const known = actors.get(id);
  if (known) request.actor = known;
  else if (request.tenant) {
    const actor = Object.freeze({ type: 'user', id, tenant: request.tenant.id, roles: ['Owner'] } as const);
    actors.set(id, actor);
    request.actor = actor;
  }
  return true;
};
