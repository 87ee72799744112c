import type { TenantId } from '../platform/database/index.js';

/** `wxc_` | tenant (16 hex digits) | `_` | the client's id (32): it names its tenant, as every credential does. */
const CLIENT_ID = /^wxc_([0-9a-f]{16})_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/;

/** A client as OAuth names it, taken apart. Nothing of it is verified. */
export interface NamedClient {
  /** The sixteen hexadecimal digits of its tenant's id. */
  readonly tenantHex: string;
  readonly id: string;
}

export function publicClientId(tenant: TenantId, id: string): string {
  return `wxc_${tenant.slice(2)}_${id.replaceAll('-', '')}`;
}

export function namedClient(clientId: string): NamedClient | undefined {
  const [, tenantHex = '', ...parts] = CLIENT_ID.exec(clientId) ?? [];
  return tenantHex === '' ? undefined : { tenantHex, id: parts.join('-') };
}
