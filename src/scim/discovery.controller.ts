import { Controller, Get, Param } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { AuthConfig } from '../platform/config/index.js';
import { Endpoint } from '../platform/http/endpoint.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { listOf, resourceTypes, schemas, serviceProviderConfig, type Published } from './discovery.js';
import { ScimAnswer } from './scim-answer.js';
import { baseUrl } from './user-rows.js';
import { ScimRoutes } from './scim-routes.js';

@ScimRoutes()
@ApiExcludeController()
@Controller('scim/v2')
export class ScimDiscoveryController {
  readonly #base: string;

  constructor(config: AuthConfig) {
    this.#base = baseUrl(config);
  }

  @Get('ServiceProviderConfig')
  @Endpoint({ permission: 'scim:read', audit: 'scim.discovered', summary: 'Says what works here.' })
  config(): ScimAnswer {
    return new ScimAnswer(200, serviceProviderConfig(this.#base));
  }

  @Get('ResourceTypes')
  @Endpoint({ permission: 'scim:read', audit: 'scim.discovered', summary: 'Lists the types of resources.' })
  resourceTypes(): ScimAnswer {
    return new ScimAnswer(200, listOf(resourceTypes(this.#base)));
  }

  @Get('ResourceTypes/:name')
  @Endpoint({ permission: 'scim:read', audit: 'scim.discovered', summary: 'Reads a type of resources.' })
  resourceType(@Param('name') name: string): ScimAnswer {
    return found(resourceTypes(this.#base), name, 'resource type');
  }

  @Get('Schemas')
  @Endpoint({ permission: 'scim:read', audit: 'scim.discovered', summary: 'Lists the schemas.' })
  schemas(): ScimAnswer {
    return new ScimAnswer(200, listOf(schemas(this.#base)));
  }

  @Get('Schemas/:id')
  @Endpoint({ permission: 'scim:read', audit: 'scim.discovered', summary: 'Reads a schema.' })
  schema(@Param('id') id: string): ScimAnswer {
    return found(schemas(this.#base), id, 'schema');
  }
}

/** @throws {ResourceNotFound} */
function found(published: readonly Published[], id: string, what: string): ScimAnswer {
  const one = published.find((known) => known.id.toLowerCase() === id.toLowerCase());
  if (!one) throw new ResourceNotFound(what);
  return new ScimAnswer(200, one.document);
}
