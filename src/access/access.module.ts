import { Global, Module } from '@nestjs/common';
import { Access } from './access.js';
import { Authorizer } from './authorizer.js';
import { OrganisationPolicies } from './organisation-policies.js';
import { PermissionsController } from './permissions.controller.js';
import { ResourceTree } from './resource-tree.js';

/** Global: one authority decides for every room. */
@Global()
@Module({
  controllers: [PermissionsController],
  providers: [Authorizer, ResourceTree, OrganisationPolicies, Access],
  exports: [Authorizer, ResourceTree, OrganisationPolicies, Access],
})
export class AccessModule {}
