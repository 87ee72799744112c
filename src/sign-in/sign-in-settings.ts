import { Injectable } from '@nestjs/common';
import type { AuditEvent } from '../audit/index.js';
import { Cells } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, currentRequest, type RequestTenant } from '../platform/http/request-context.js';
import type { SignInRules } from '../platform/http/tenant-rules.js';
import { RegistryWork } from '../requests/index.js';
import { DEFAULT_RULES } from './sign-in-rules.js';
import type { ReplaceSignInSettingsDto, SignInSettingsDto } from './sign-in-settings.dto.js';

interface Row {
  sign_in_rules: SignInRules | null;
  sign_in_rules_version: number;
}

/** How an organisation's people sign in, as its administrators set it. Stands with its entry in the registry. */
@Injectable()
export class SignInSettings {
  constructor(
    private readonly cells: Cells,
    private readonly work: RegistryWork,
  ) {}

  async read({ id }: RequestTenant): Promise<SignInSettingsDto> {
    const { rows } = await this.cells.home.control.query<Row>(
      'SELECT sign_in_rules, sign_in_rules_version FROM control.tenants WHERE id = $1',
      [id],
    );
    const [row] = rows;
    if (!row) throw new ResourceNotFound('organisation');
    return { ...(row.sign_in_rules ?? DEFAULT_RULES), version: row.sign_in_rules_version };
  }

  /** Replaces them. They hold for every request that begins later, whichever process serves it, and for open sessions too. */
  async replace(
    { id }: RequestTenant,
    body: ReplaceSignInSettingsDto,
    version: number | undefined,
  ): Promise<SignInSettingsDto> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    const rules: SignInRules = { ...body };
    // For the installation's log, in the home region: what changed, and nothing of who did it. That is in the
    // organisation's own log before the answer leaves; the two name the same request.
    const event = (changed: number): AuditEvent => ({
      action: 'auth_settings.updated',
      actor: { type: 'system', id: 'registry' },
      outcome: 'success',
      resource: { type: 'tenant', id },
      changes: { version: changed },
      request: { id: request.requestId, method: request.method, path: request.path },
    });
    const now = await this.work.runAs(id, event, async (registry) => {
      const { rows } = await registry.query<Row & Record<string, unknown>>({
        text: 'SELECT sign_in_rules, sign_in_rules_version FROM control.tenants WHERE id = $1 FOR UPDATE',
        values: [id],
      });
      const [row] = rows;
      if (!row) throw new ResourceNotFound('organisation');
      if (version !== undefined && version !== row.sign_in_rules_version) throw new VersionMismatch();
      await registry.query({
        text: `UPDATE control.tenants SET sign_in_rules = $2, sign_in_rules_version = sign_in_rules_version + 1 WHERE id = $1`,
        values: [id, JSON.stringify(rules)],
      });
      return row.sign_in_rules_version + 1;
    });
    auditDetails({ resource: { type: 'tenant', id }, changes: { ...rules, version: now } });
    return { ...rules, version: now };
  }
}
