import { Body, Controller, HttpCode, Post, Put } from '@nestjs/common';
import type { TenantId } from '../platform/database/index.js';
import { Endpoint } from '../platform/http/endpoint.js';
import { LegalHoldReasonDto } from '../retention/index.js';
import { HoldOrganisation } from './hold-organisation.js';
import { OrganisationId } from '../tenancy/index.js';

@Controller('v1/tenants/:id/legal-hold')
export class LegalHoldController {
  constructor(private readonly holding: HoldOrganisation) {}

  @Put()
  @HttpCode(204)
  @Endpoint({
    permission: 'tenant:hold',
    audit: 'tenant.legal_hold_set',
    summary: 'Sets a legal hold on the log of an organisation, which is not purged while it lasts.',
    problems: [404, 409],
  })
  set(@OrganisationId() id: TenantId, @Body() { reason }: LegalHoldReasonDto): Promise<void> {
    return this.holding.set(id, reason);
  }

  @Post('lift')
  @HttpCode(204)
  @Endpoint({
    permission: 'tenant:hold',
    audit: 'tenant.legal_hold_lifted',
    summary: 'Lifts the legal hold of an organisation, whoever set it.',
    problems: [404, 409],
  })
  lift(@OrganisationId() id: TenantId, @Body() _body: LegalHoldReasonDto): Promise<void> {
    return this.holding.lift(id);
  }
}
