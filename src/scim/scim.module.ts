import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { DomainsModule } from '../domains/index.js';
import { GroupsModule } from '../groups/index.js';
import { RolesModule } from '../roles/index.js';
import { AdmitUser } from './admit-user.js';
import { DirectoriesController } from './directories.controller.js';
import { Bulk } from './bulk.js';
import { Directories } from './directories.js';
import { DirectoryClients } from './directory-clients.js';
import { DirectoryTokens } from './directory-tokens.js';
import { ScimDiscoveryController } from './discovery.controller.js';
import { GroupRows } from './group-rows.js';
import { ScimGroupsController } from './groups.controller.js';
import { LongSearches } from './long-searches.js';
import { NarrowUsers } from './narrow-users.js';
import { OwnUser } from './own-user.js';
import { ProvisionGroups } from './provision-groups.js';
import { ProvisionUsers } from './provision-users.js';
import { ReadScimRequests } from './read-scim-requests.js';
import { ScimRootController } from './root.controller.js';
import { ScimRequestsController } from './scim-requests.controller.js';
import { ScimRequests } from './scim-requests.js';
import { ReplayScimRequest } from './replay-scim-request.js';
import { Scim } from './scim.js';
import { ScimWork } from './scim-work.js';
import { SearchAll } from './search-all.js';
import { Sources } from './sources.js';
import { UserRows } from './user-rows.js';
import { UserStore } from './user-store.js';
import { ScimUsersController } from './users.controller.js';

@Module({
  imports: [AuthModule, DomainsModule, GroupsModule, RolesModule],
  controllers: [
    ScimUsersController,
    ScimGroupsController,
    ScimDiscoveryController,
    ScimRootController,
    DirectoriesController,
    ScimRequestsController,
  ],
  providers: [
    AdmitUser,
    Bulk,
    Directories,
    DirectoryClients,
    DirectoryTokens,
    GroupRows,
    LongSearches,
    NarrowUsers,
    OwnUser,
    ProvisionGroups,
    ProvisionUsers,
    ReadScimRequests,
    ReplayScimRequest,
    Scim,
    ScimRequests,
    ScimWork,
    SearchAll,
    Sources,
    UserRows,
    UserStore,
  ],
})
export class ScimModule {}
