import type { AuditAction } from '../events/index.js';
import type { ErrorForm } from './error-form.js';

/** The permission of a route that anyone may call. Needs a reason. */
export const PUBLIC = Symbol('public');
/** The audit event of a route that tells nothing of any tenant: probes and published documents. */
export const UNAUDITED = Symbol('unaudited');

/**
 * What the permission is needed on, where that is less than the whole organisation: what the path's `id` names, what a
 * member of the body names, or, of a list, each of its rows.
 */
export type On =
  | { readonly path: 'project' | 'agent' | 'run' }
  | { readonly body: string; readonly names: 'project' | 'agent' }
  | { readonly rows: 'project' | 'agent' | 'run' };

/** For setting up a second factor: of somebody who has none, a sign-in through a provider in the last minutes does as well. */
export type StepUpForFirstFactor = 'or_first_factor';

interface Common {
  /** One sentence for the reference. */
  readonly summary: string;
  /** Status of success where it is not 201 for POST, 204 for DELETE and 200 otherwise. */
  readonly status?: number;
  /** Statuses of problems that the route can answer beyond those that all can. */
  readonly problems?: readonly number[];
  /** A stricter limit than that of all requests (src/limits). */
  readonly limit?: 'sign-in';
  /**
   * Only for a person who has proved in the last minutes that it is they: what cannot be taken back, or concerns everything.
   * `of_people`: keys and clients may it as well, and a sign-in of the last minutes is such a proof: what would make of a
   * stolen session something that outlives it.
   */
  readonly stepUp?: true | 'of_people' | StepUpForFirstFactor;
  /** The organisation is the path's parameter `tenant`, by slug or id, whatever credential a browser may send along. */
  readonly tenantInPath?: true;
  /** Open to a person too who has to set up a second factor before anything else. */
  readonly whileEnrolling?: true;
  /** How its errors are written, where a standard of its own says so. */
  readonly errors?: ErrorForm;
  /** Served for an organisation that is being deleted too, as nothing else is. */
  readonly whileDeleting?: true;
}

/** Everything a reviewer wants to see of a route; guards, audit and OpenAPI follow from it. */
export type EndpointOptions = Common &
  (
    | {
        readonly permission: string;
        readonly reason?: never;
        /** The audit event of a call. */
        readonly audit: AuditAction;
        readonly on?: On;
      }
    | {
        readonly permission: typeof PUBLIC;
        readonly reason: string;
        readonly audit: AuditAction | typeof UNAUDITED;
        readonly on?: never;
      }
  );
