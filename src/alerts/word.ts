import type { AlertEntity } from './alert.entity.js';
import type { NotificationKind } from './notifications.js';

/** What is told: to whom it is, of which alert, and what has happened to it. */
export interface Word {
  /** The same whenever it is sent again. */
  readonly id: string;
  readonly tenant: string;
  readonly kind: NotificationKind;
  readonly alert: AlertEntity;
}

/** Whether it was taken; if not, why, and whether that may change by itself. */
export type Sent =
  { readonly taken: true } | { readonly taken: false; readonly error: string; readonly final: boolean };
