import { Module } from '@nestjs/common';
import { GroupsController } from './groups.controller.js';
import { Groups } from './groups.js';
import { ManageGroups } from './manage-groups.js';
import { Members } from './members.js';
import { RolesModule } from '../roles/index.js';
import { Subgroups } from './subgroups.js';

@Module({
  imports: [RolesModule],
  controllers: [GroupsController],
  providers: [Groups, ManageGroups, Members, Subgroups],
  exports: [Groups, Members, Subgroups],
})
export class GroupsModule {}
