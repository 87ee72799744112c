import { PERMISSIONS, type PermissionName } from '../../src/access/permissions.js';
import type { DocumentedRoute } from './openapi-contract.js';

/** The permission that a route declares, as its documentation tells it; undefined for a public route. */
export function permissionOf({ operation }: DocumentedRoute): PermissionName | undefined {
  const name = /^Permission `([^`]+)`/.exec(operation.description)?.[1];
  if (name === undefined) return undefined;
  if (!(name in PERMISSIONS)) throw new Error(`${name} is no permission.`);
  return name as PermissionName;
}

/** Whose permission it is that only a credential of their own has, which nobody of an organisation is: a directory, a transmitter. */
export function isOfNoPerson(route: DocumentedRoute): boolean {
  const permission = permissionOf(route);
  return permission !== undefined && ['directory', 'transmitter'].includes(PERMISSIONS[permission].grantee);
}

/** Whether an answer says that the permission is not held. */
export function isDenied({ status, body }: { readonly status: number; readonly body: unknown }): boolean {
  return status === 403 && (body as { code?: string } | undefined)?.code === 'PERMISSION_DENIED';
}

export { PERMISSIONS };
