export { AUDIT_ACTIONS, catalogued, type AuditAction } from './catalogue.js';
export type { CatalogueEntry, EventCategory, EventSeverity, OcsfActivity } from './catalogue-entry.js';
