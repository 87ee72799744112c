import { Module } from '@nestjs/common';
import { GrantsController } from './grants.controller.js';
import { Grants } from './grants.js';
import { GroupGrants } from './group-grants.js';
import { RequireHeld } from './require-held.js';
import { RolesController } from './roles.controller.js';
import { Roles } from './roles.js';

@Module({
  controllers: [RolesController, GrantsController],
  providers: [Roles, Grants, GroupGrants, RequireHeld],
  exports: [GroupGrants, RequireHeld],
})
export class RolesModule {}
