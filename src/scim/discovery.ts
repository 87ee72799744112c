import { MOST_OPERATIONS } from './bulk-request.js';
import { LIST_SCHEMA, MOST_RESULTS } from './list-query.js';
import { BODY_LIMIT_BYTES } from '../platform/http/body.js';
import type { Fields } from './protocol/evaluate-filter.js';
import { RESOURCE_TYPES } from './protocol/resource-types.js';
import type { Attribute, ResourceType, Schema } from './protocol/schema.js';

const CORE = 'urn:ietf:params:scim:schemas:core:2.0';

/** What is published of the service itself (RFC 7643 sections 5 to 7), each with where it is. */
export interface Published {
  readonly id: string;
  readonly document: Fields;
}

/** What really works: each of these is held by a test. */
export function serviceProviderConfig(base: string): Fields {
  return {
    schemas: [`${CORE}:ServiceProviderConfig`],
    documentationUri: 'https://docs.waxell.ai/scim',
    patch: { supported: true },
    bulk: { supported: true, maxOperations: MOST_OPERATIONS, maxPayloadSize: BODY_LIMIT_BYTES },
    filter: { supported: true, maxResults: MOST_RESULTS },
    changePassword: { supported: false },
    sort: { supported: true },
    etag: { supported: true },
    pagination: { cursor: true, index: true, defaultPaginationMethod: 'index', maxPageSize: MOST_RESULTS },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'Bearer token',
        description: 'A token of the directory, with a lifetime of its own, in the header Authorization.',
        specUri: 'https://www.rfc-editor.org/rfc/rfc6750',
        primary: true,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
  };
}

export function resourceTypes(base: string): Published[] {
  return RESOURCE_TYPES.map((type) => ({ id: type.name, document: resourceType(type, base) }));
}

export function schemas(base: string): Published[] {
  const all = RESOURCE_TYPES.flatMap(({ schema, extensions }) => [schema, ...extensions]);
  return all.map((schema) => ({ id: schema.id, document: schemaDocument(schema, base) }));
}

export function listOf(published: readonly Published[]): Fields {
  return {
    schemas: [LIST_SCHEMA],
    totalResults: published.length,
    itemsPerPage: published.length,
    startIndex: 1,
    Resources: published.map(({ document }) => document),
  };
}

function resourceType(
  { name, endpoint, description, schema, extensions }: ResourceType,
  base: string,
): Fields {
  return {
    schemas: [`${CORE}:ResourceType`],
    id: name,
    name,
    endpoint,
    description,
    schema: schema.id,
    ...(extensions.length > 0 && {
      schemaExtensions: extensions.map(({ id }) => ({ schema: id, required: false })),
    }),
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
  };
}

function schemaDocument({ id, name, description, attributes }: Schema, base: string): Fields {
  return {
    schemas: [`${CORE}:Schema`],
    id,
    name,
    description,
    attributes: attributes.map(attributeDocument),
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${id}` },
  };
}

function attributeDocument(attribute: Attribute): Fields {
  const { subAttributes, canonicalValues, referenceTypes, ...traits } = attribute;
  return {
    ...traits,
    ...(canonicalValues && { canonicalValues }),
    ...(referenceTypes && { referenceTypes }),
    ...(subAttributes && { subAttributes: subAttributes.map(attributeDocument) }),
  };
}
