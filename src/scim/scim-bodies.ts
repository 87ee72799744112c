import { BODY_LIMIT_BYTES, type OwnBodies } from '../platform/http/body.js';

/** As large as a group is put with 20,000 members, each as it is answered. */
export const GROUP_LIMIT_BYTES = 4 * BODY_LIMIT_BYTES;

/** What a directory sends. What cannot be read of it is told to the directory's administrators, too. */
export const SCIM_BODIES: readonly OwnBodies[] = [
  { paths: /^\/scim\/v2\/Groups(?:\/|$)/i, limitBytes: GROUP_LIMIT_BYTES },
  { paths: /^\/scim\/v2(?:\/|$)/i, limitBytes: BODY_LIMIT_BYTES },
];
