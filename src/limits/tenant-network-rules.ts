import { Injectable } from '@nestjs/common';
import { RegistryWork } from '../requests/index.js';
import { eventOfRequest, type AuditEvent } from '../audit/index.js';
import { Cells, isTenantId, type TenantId } from '../platform/database/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import {
  auditDetails,
  currentRequest,
  type RequestContext,
  type RequestTenant,
} from '../platform/http/request-context.js';
import type { NetworkRules } from '../platform/http/tenant-rules.js';
import { CallerCountry } from './caller-country.js';
import type { NetworkRulesDto, ReplaceNetworkRulesDto } from './limits.dto.js';
import { CountrySourceMissing, RulesLockOutCaller } from './limits.errors.js';
import { letsIn } from './network-admission.js';

interface Row {
  network_rules: NetworkRules | null;
  network_rules_version: number;
}

/** What an organisation has that never set any: everybody is let in. Nothing is stored for it, and nothing looked up. */
const NONE: NetworkRules = { mode: 'deny', countries: [], unknown: 'allow' };

/** From which countries an organisation may be called, as its administrators set it. */
@Injectable()
export class TenantNetworkRules {
  constructor(
    private readonly cells: Cells,
    private readonly country: CallerCountry,
    private readonly work: RegistryWork,
  ) {}

  async read(tenant: RequestTenant): Promise<NetworkRulesDto> {
    const { rows } = await this.cells.home.control.query<Row>(
      'SELECT network_rules, network_rules_version FROM control.tenants WHERE id = $1',
      [tenant.id],
    );
    const [row] = rows;
    if (!row) throw new ResourceNotFound('organisation');
    return dto(row.network_rules ?? NONE, row.network_rules_version);
  }

  /** Replaces them. They hold for every request that begins later, whichever process serves it. */
  async replace(
    tenant: RequestTenant,
    { mode, countries, unknown }: ReplaceNetworkRulesDto,
    version: number | undefined,
  ): Promise<NetworkRulesDto> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    const rules: NetworkRules = { mode, countries: countries.toSorted(), unknown };
    this.#refuseUnfit(rules, request);
    // For the installation's log, in the home region: what changed, and nothing of who did it. That is in the
    // organisation's own log, in its own region, before the answer leaves; the two name the same request.
    const event = (changed: number): AuditEvent => ({
      action: 'network_rules.updated',
      actor: { type: 'system', id: 'registry' },
      outcome: 'success',
      resource: { type: 'tenant', id: tenant.id },
      changes: { version: changed },
      request: { id: request.requestId, method: request.method, path: request.path },
    });
    const now = await this.#store(tenant.id, isNone(rules) ? null : rules, version, event);
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, changes: { ...rules, version: now } });
    return dto(rules, now);
  }

  /** For the operator: lets an organisation in again that has locked itself out. */
  async clear(id: string): Promise<void> {
    if (!isTenantId(id)) throw new ResourceNotFound('organisation');
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    auditDetails({ resource: { type: 'tenant', id } });
    await this.#store(id, null, undefined, () => eventOfRequest(request, 'success'));
    request.recorded = true;
  }

  /** Answers the new version. */
  async #store(
    id: TenantId,
    rules: NetworkRules | null,
    version: number | undefined,
    event: (changed: number) => AuditEvent,
  ): Promise<number> {
    return this.work.runAs(id, event, async (registry) => {
      const { rows } = await registry.query<Row & Record<string, unknown>>({
        text: 'SELECT network_rules, network_rules_version FROM control.tenants WHERE id = $1 FOR UPDATE',
        values: [id],
      });
      const [row] = rows;
      if (!row) throw new ResourceNotFound('organisation');
      if (version !== undefined && version !== row.network_rules_version) throw new VersionMismatch();
      await registry.query({
        text: `UPDATE control.tenants SET network_rules = $2, network_rules_version = network_rules_version + 1 WHERE id = $1`,
        values: [id, rules && JSON.stringify(rules)],
      });
      return row.network_rules_version + 1;
    });
  }

  #refuseUnfit(rules: NetworkRules, request: RequestContext): void {
    if (rules.mode === 'allow' && rules.countries.length === 0) {
      const detail = 'countries must name at least one country where mode is allow';
      throw new InvalidRequest([{ pointer: '/countries', detail }]);
    }
    if (isNone(rules)) return;
    if (!this.country.known) throw new CountrySourceMissing();
    const country = this.country.of(request);
    if (!letsIn(rules, country)) throw new RulesLockOutCaller(country);
  }
}

function isNone({ mode, countries, unknown }: NetworkRules): boolean {
  return mode === 'deny' && countries.length === 0 && unknown === 'allow';
}

function dto({ mode, countries, unknown }: NetworkRules, version: number): NetworkRulesDto {
  return { mode, countries: [...countries], unknown, version };
}
