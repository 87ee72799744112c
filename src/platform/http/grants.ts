/** What may be named where a role is granted, from the top of the tree down. */
export const GRANTABLE = ['organisation', 'project', 'agent'] as const;
export type Grantable = (typeof GRANTABLE)[number];

/** A resource by its kind and id. */
export interface ResourceName {
  readonly kind: Grantable;
  readonly id: string;
}

/** A role that somebody holds somewhere, beyond the one that they have in the organisation. */
export interface Grant {
  readonly id: string;
  /** A default role by its name, or one of the organisation's own by its id. */
  readonly role: string;
  /** What a role of the organisation's own has; absent for default roles. */
  readonly permissions?: readonly string[];
  readonly on: ResourceName;
}

/** What is read with a principal, and forgotten with it: what it was granted, and the policies that are in force for it. */
export interface Access {
  /** The version of its organisation's own policies; 0: there are none. */
  readonly policies: number;
  /** Every group that it is in; empty where no policies could ask. */
  readonly groups: readonly string[];
  readonly grants: readonly Grant[];
  /** There are more grants than are looked at. */
  readonly cut?: true;
}

export const NO_ACCESS: Access = Object.freeze({
  policies: 0,
  groups: Object.freeze([]),
  grants: Object.freeze([]),
});

/** What somebody asked to do to what. A refusal has an id, which the caller is told. */
export interface RecordedDecision {
  readonly id?: string;
  readonly permission: string;
  readonly resource?: { readonly type: string; readonly id: string };
}
