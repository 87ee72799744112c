/** Tenants in one transaction, and connections that migrate at the same time, where nobody says otherwise. */
export const TENANTS_PER_BATCH = 50;
export const WORKERS = 4;
