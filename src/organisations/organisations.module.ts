import { Module } from '@nestjs/common';
import { AgentsModule } from '../agents/index.js';
import { AuthModule } from '../auth/index.js';
import { PasswordsModule } from '../passwords/index.js';
import { RetentionModule } from '../retention/index.js';
import { RunsModule } from '../runs/index.js';
import { ChangeOrganisation } from './change-organisation.js';
import { CreateOrganisation } from './create-organisation.js';
import { DeleteOrganisation } from './delete-organisation.js';
import { ExportOrganisation } from './export-organisation.js';
import { ExportRows } from './export-rows.js';
import { ExportStore } from './export-store.js';
import { HoldOrganisation } from './hold-organisation.js';
import { KnownOrganisations } from './known-organisations.js';
import { LegalHoldController } from './legal-hold.controller.js';
import { LifecycleController } from './lifecycle.controller.js';
import { MeasureStorage } from './measure-storage.js';
import { MendOrganisations } from './mend-organisations.js';
import { OwnExportController } from './own-export.controller.js';
import { Placement } from './placement.js';
import { OrganisationsController } from './organisations.controller.js';
import { PurgeOrganisation } from './purge-organisation.js';
import { ReadExport } from './read-export.js';
import { ReadUsage } from './read-usage.js';
import { SuspendOrganisation } from './suspend-organisation.js';
import { TellTenant } from './tell-tenant.js';
import { UpdateOrganisation } from './update-organisation.js';

@Module({
  imports: [AgentsModule, AuthModule, PasswordsModule, RetentionModule, RunsModule],
  controllers: [OrganisationsController, LifecycleController, LegalHoldController, OwnExportController],
  providers: [
    ChangeOrganisation,
    CreateOrganisation,
    DeleteOrganisation,
    ExportOrganisation,
    ExportRows,
    ExportStore,
    HoldOrganisation,
    KnownOrganisations,
    MeasureStorage,
    MendOrganisations,
    Placement,
    PurgeOrganisation,
    ReadExport,
    ReadUsage,
    SuspendOrganisation,
    TellTenant,
    UpdateOrganisation,
  ],
  exports: [CreateOrganisation, MendOrganisations, Placement],
})
export class OrganisationsModule {}
