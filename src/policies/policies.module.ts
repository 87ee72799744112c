import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/index.js';
import { AuthModule } from '../auth/index.js';
import { RolesModule } from '../roles/index.js';
import { DryRun } from './dry-run.js';
import { Explain } from './explain.js';
import { KeepOwners } from './keep-owners.js';
import { PastDecisions } from './past-decisions.js';
import { PoliciesController } from './policies.controller.js';
import { Policies } from './policies.js';

@Module({
  imports: [AuditModule, AuthModule, RolesModule],
  controllers: [PoliciesController],
  providers: [Policies, KeepOwners, DryRun, PastDecisions, Explain],
})
export class PoliciesModule {}
