/** What an event is about; the coverage that customers ask for, group by group. */
export type EventCategory =
  | 'authentication'
  | 'authorization'
  | 'resource'
  | 'run'
  | 'api_key'
  | 'administration'
  | 'data_access'
  | 'alert'
  | 'system';

/** How much an event weighs when it succeeds; refusals and failures weigh at least `low`. */
export type EventSeverity = 'informational' | 'low' | 'medium' | 'high' | 'critical';

/** Class and activity of OCSF (schema.ocsf.io, 1.3.0). */
export interface OcsfActivity {
  readonly classUid: 2004 | 3001 | 3002 | 6003;
  readonly activityId: number;
}

export interface CatalogueEntry {
  readonly category: EventCategory;
  readonly severity: EventSeverity;
  readonly ocsf: OcsfActivity;
  /** One sentence: what has happened when this is recorded as a success. */
  readonly means: string;
}

/** Detection Finding 2004: 1 create, 2 update, 3 close. */
export const finding = (activity: 'create' | 'update' | 'close'): OcsfActivity => ({
  classUid: 2004,
  activityId: { create: 1, update: 2, close: 3 }[activity],
});

/** Account Change 3001: 1 create, 6 delete, 99 other (roles and states are changed by one call). */
export const account = (activity: 'create' | 'delete' | 'other'): OcsfActivity => ({
  classUid: 3001,
  activityId: { create: 1, delete: 6, other: 99 }[activity],
});

/** Authentication 3002: 1 logon, 2 logoff, 99 other. */
export const authentication = (activity: 'logon' | 'logoff' | 'other'): OcsfActivity => ({
  classUid: 3002,
  activityId: { logon: 1, logoff: 2, other: 99 }[activity],
});

/** API Activity 6003: 1 create, 2 read, 3 update, 4 delete, 99 other. */
export const api = (activity: 'create' | 'read' | 'update' | 'delete' | 'other'): OcsfActivity => ({
  classUid: 6003,
  activityId: { create: 1, read: 2, update: 3, delete: 4, other: 99 }[activity],
});
