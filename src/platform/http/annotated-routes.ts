import { RequestMethod, type INestApplication } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { ModulesContainer } from '@nestjs/core';
import { describeOn, ENDPOINT, PUBLIC, UNAUDITED, type EndpointOptions } from './endpoint.js';

/** A route with what its annotation declares. */
export interface DeclaredRoute {
  readonly method: string;
  readonly path: string;
  readonly handler: string;
  readonly options: EndpointOptions;
}

/**
 * Every route of the application. Throws when one has no `@Endpoint`: such a route has no permission, and an
 * application with a hole in it does not start.
 */
export function declaredRoutes(app: INestApplication): DeclaredRoute[] {
  const routes: DeclaredRoute[] = [];
  const missing: string[] = [];
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const base = String(Reflect.getMetadata(PATH_METADATA, metatype) ?? '');
      const prototype = (metatype as { prototype: Record<string, unknown> }).prototype;
      for (const name of Object.getOwnPropertyNames(prototype)) {
        const handler = prototype[name];
        if (typeof handler !== 'function') continue;
        const verb = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
        if (verb === undefined) continue;
        const options = Reflect.getMetadata(ENDPOINT, handler) as EndpointOptions | undefined;
        const route = `${metatype.name}.${name}`;
        if (!options) missing.push(route);
        else
          routes.push({ method: RequestMethod[verb], path: joined(base, handler), handler: route, options });
      }
    }
  }
  if (missing.length > 0) {
    throw new Error(
      `Routes without @Endpoint: ${missing.join(', ')}. Declare their permission and audit event.`,
    );
  }
  return routes.sort((a, b) => `${a.path} ${a.method}`.localeCompare(`${b.path} ${b.method}`));
}

/** Throws when a route names a permission that nobody could ever have: a slip of the pen would close it to all. */
export function refuseUnknownPermissions(
  routes: readonly DeclaredRoute[],
  isPermission: (name: string) => boolean,
): void {
  const wrong = routes.flatMap(({ handler, options: { permission } }) =>
    permission === PUBLIC || isPermission(permission) ? [] : [`${handler} (${permission})`],
  );
  if (wrong.length > 0) {
    throw new Error(
      `Routes with a permission that does not exist: ${wrong.join(', ')}. See src/access/permissions.ts.`,
    );
  }
}

/** A line per route, for the snapshot that is reviewed as a permission change. */
export function describeRoute({ method, path, options }: DeclaredRoute): string {
  const permission =
    options.permission === PUBLIC
      ? `PUBLIC (${options.reason})`
      : `${options.permission}${describeOn(options.on)}`;
  const audit = options.audit === UNAUDITED ? 'UNAUDITED' : options.audit;
  const limit = options.limit === undefined ? '' : ` | limited as ${options.limit}`;
  const first = options.stepUp === 'or_first_factor' ? ', or a first factor' : '';
  const stepUp = options.stepUp ? ` | password proved again${first}` : '';
  const lately = options.stepUp === 'of_people' ? ', of people' : '';
  const enrolling = options.whileEnrolling ? ' | while enrolling' : '';
  return `${method} ${path} | ${permission} | ${audit}${limit}${stepUp}${lately}${enrolling}`;
}

function joined(base: string, handler: object): string {
  const own = String(Reflect.getMetadata(PATH_METADATA, handler) ?? '');
  return `/${[base, own]
    .map((part) => part.replace(/^\/|\/$/g, ''))
    .filter(Boolean)
    .join('/')}`;
}
