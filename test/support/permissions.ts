import { PERMISSIONS, type PermissionName } from '../../src/access/permissions.js';
import type { DocumentedRoute } from './openapi-contract.js';

/** The permission that a route declares, as its documentation tells it; undefined for a public route. */
export function permissionOf({ operation }: DocumentedRoute): PermissionName | undefined {
  const name = /^Permission `([^`]+)`/.exec(operation.description)?.[1];
  if (name === undefined) return undefined;
  if (!(name in PERMISSIONS)) throw new Error(`${name} is no permission.`);
  return name as PermissionName;
}

export { PERMISSIONS };
