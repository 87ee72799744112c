import { isFields, type Fields, type Json } from './evaluate-filter.js';
import { readValue } from './read-value.js';
import { ScimError } from './scim.errors.js';
import { attributesOf, extensionOf, named, type Attribute, type ResourceType } from './schema.js';

/**
 * What a client sends as a resource, as it is kept: names as the schema writes them, values in their types, without what
 * is not the client's to say (echoed read-only attributes), what is never kept (passwords), and what is of no schema here,
 * such as the further URN that Entra ID sends with groups. @throws {ScimError}
 */
export function readResource(type: ResourceType, body: Json | undefined): Fields {
  if (!isFields(body)) throw new ScimError('invalidSyntax', `The body must be a ${type.name} as an object.`);
  requireSchema(type, body);
  const resource: Record<string, Json> = {};
  for (const [name, value] of Object.entries(body)) {
    const extension = extensionOf(type, name);
    const attributes = extension?.attributes;
    if (extension && attributes) {
      if (value === null) continue;
      if (!isFields(value)) throw new ScimError('invalidValue', `"${extension.id}" must be an object.`);
      const inner = readAttributes(attributes, value);
      if (Object.keys(inner).length > 0) resource[extension.id] = inner;
    } else Object.assign(resource, readAttributes(attributesOf(type), { [name]: value }));
  }
  requireRequired(type, resource);
  return resource;
}

/** @throws {ScimError} where an attribute is missing that every such resource has */
export function requireRequired({ schema }: ResourceType, resource: Fields): void {
  const missing = schema.attributes.find(({ name, required }) => required && resource[name] === undefined);
  if (missing) throw new ScimError('invalidValue', `"${missing.name}" is required.`);
}

function readAttributes(attributes: readonly Attribute[], given: Fields): Record<string, Json> {
  const read: Record<string, Json> = {};
  for (const [name, value] of Object.entries(given)) {
    const attribute = named(attributes, name);
    if (!attribute || attribute.mutability === 'readOnly' || attribute.mutability === 'writeOnly') continue;
    const kept = readValue(attribute, value);
    if (kept !== undefined) read[attribute.name] = kept;
  }
  return read;
}

/** Which schemas there are follows from what there is: that they are named at all is asked for, and that one fits. */
function requireSchema({ name, schema }: ResourceType, body: Fields): void {
  const entry = Object.entries(body).find(([key]) => key.toLowerCase() === 'schemas');
  const said: unknown = entry?.[1];
  // An example of RFC 7644 itself (section 3.7.3) has another URN of the same name.
  const suffix = `:2.0:${name.toLowerCase()}`;
  const fits =
    Array.isArray(said) && said.some((urn) => typeof urn === 'string' && urn.toLowerCase().endsWith(suffix));
  if (!fits) throw new ScimError('invalidSyntax', `"schemas" must name ${schema.id}, as of a ${name}.`);
}

/** The schemas of what is there. */
export function schemasOf(type: ResourceType, resource: Fields): string[] {
  return [
    type.schema.id,
    ...type.extensions.filter(({ id }) => resource[id] !== undefined).map(({ id }) => id),
  ];
}
