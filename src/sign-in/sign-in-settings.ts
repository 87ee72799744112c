import { X509Certificate } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { AuditEvent } from '../audit/index.js';
import { Cells } from '../platform/database/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, currentRequest, type RequestTenant } from '../platform/http/request-context.js';
import type { SecondFactorRules, SignInRules } from '../platform/http/tenant-rules.js';
import { RegistryWork } from '../requests/index.js';
import { DEFAULT_RULES, DEFAULT_SECOND_FACTOR } from './sign-in-rules.js';
import type {
  ReplaceSignInSettingsDto,
  SecondFactorRulesDto,
  SignInSettingsDto,
} from './sign-in-settings.dto.js';

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
    return settingsDto(row.sign_in_rules ?? DEFAULT_RULES, row.sign_in_rules_version);
  }

  /** Replaces them. They hold for every request that begins later, whichever process serves it, and for open sessions too. */
  async replace(
    { id }: RequestTenant,
    body: ReplaceSignInSettingsDto,
    version: number | undefined,
  ): Promise<SignInSettingsDto> {
    requireRoots(body.secondFactor);
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    // For the installation's log, in the home region: what changed, and nothing of who did it. That is in the
    // organisation's own log before the answer leaves; the two name the same request.
    const event = ({ version: changed }: SignInSettingsDto): AuditEvent => ({
      action: 'auth_settings.updated',
      actor: { type: 'system', id: 'registry' },
      outcome: 'success',
      resource: { type: 'tenant', id },
      changes: { version: changed },
      request: { id: request.requestId, method: request.method, path: request.path },
    });
    const set = await this.work.runAs(id, event, async (registry) => {
      const { rows } = await registry.query<Row & Record<string, unknown>>({
        text: 'SELECT sign_in_rules, sign_in_rules_version FROM control.tenants WHERE id = $1 FOR UPDATE',
        values: [id],
      });
      const [row] = rows;
      if (!row) throw new ResourceNotFound('organisation');
      if (version !== undefined && version !== row.sign_in_rules_version) throw new VersionMismatch();
      const rules = replaced(row.sign_in_rules?.secondFactor, body);
      await registry.query({
        text: `UPDATE control.tenants SET sign_in_rules = $2, sign_in_rules_version = sign_in_rules_version + 1 WHERE id = $1`,
        values: [id, JSON.stringify(rules)],
      });
      return settingsDto(rules, row.sign_in_rules_version + 1);
    });
    auditDetails({ resource: { type: 'tenant', id }, changes: { ...set } });
    return set;
  }
}

/** Without a maker to believe, what a security key says of itself is worth nothing. */
function requireRoots(rules: SecondFactorRulesDto | undefined): void {
  if (!rules) return;
  const pointer = '/secondFactor/attestationRoots';
  const wrong = rules.attestationRoots.filter((pem) => !isAuthority(pem));
  if (wrong.length > 0)
    throw new InvalidRequest([{ pointer, detail: 'each must be the certificate of an authority, PEM' }]);
  if (rules.attestation === 'direct' && rules.attestationRoots.length === 0)
    throw new InvalidRequest([{ pointer, detail: 'attestation direct needs the makers that are believed' }]);
}

function isAuthority(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    return false;
  }
}

/** What a request makes of the rules. From when a second factor is asked of everybody is not the caller's to say. */
function replaced(before: SecondFactorRules | undefined, body: ReplaceSignInSettingsDto): SignInRules {
  const { secondFactor, ...others } = body;
  const was = before ?? DEFAULT_SECOND_FACTOR;
  if (!secondFactor) return { ...others, secondFactor: was };
  const ofAll = secondFactor.requiredOf === 'everybody';
  const since = ofAll ? (was.requiredSince ?? new Date().toISOString()) : null;
  return { ...others, secondFactor: { ...secondFactor, requiredSince: since } };
}

function settingsDto(
  { secondFactor = DEFAULT_SECOND_FACTOR, ...others }: SignInRules,
  version: number,
): SignInSettingsDto {
  const { requiredOf, graceDays, trustedDeviceDays, textMessages = false } = secondFactor;
  const { attestation, attestationRoots, allowedAaguids } = secondFactor;
  const second: SecondFactorRulesDto = {
    requiredOf,
    graceDays,
    trustedDeviceDays,
    textMessages,
    attestation,
    attestationRoots: [...attestationRoots],
    allowedAaguids: [...allowedAaguids],
  };
  return { ...others, secondFactor: second, version };
}
