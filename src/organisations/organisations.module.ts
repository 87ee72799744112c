import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { CreateOrganisation } from './create-organisation.js';
import { MendOrganisations } from './mend-organisations.js';
import { Placement } from './placement.js';
import { OrganisationsController } from './organisations.controller.js';

@Module({
  imports: [AuthModule],
  controllers: [OrganisationsController],
  providers: [CreateOrganisation, MendOrganisations, Placement],
  exports: [CreateOrganisation, MendOrganisations, Placement],
})
export class OrganisationsModule {}
