import { announce, currentTenant, type Statement } from '../platform/database/index.js';

/** In place of a person's id: what everybody in the organisation may do has changed. */
export const EVERYBODY = '*';

/** Tells every process that what somebody may do is to be read anew; heard at the commit. */
export function accessChanged(userId: string): Statement {
  return announce({ kind: 'access', tenant: currentTenant().id, id: userId });
}
