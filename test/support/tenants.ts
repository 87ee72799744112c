import { randomBytes } from 'node:crypto';
import type { CreatedApiKeyDto, TokensDto, UserDto } from '../../src/auth/auth.dto.js';
import type { CreatedOrganisationDto } from '../../src/organisations/organisations.dto.js';
import { client, must, type Client } from './client.js';
import type { Region } from './embedded-database.js';

/** A tenant with its owner, and the owner's API key for everything. */
export interface TestTenant {
  readonly id: string;
  readonly slug: string;
  readonly owner: Person;
  /** The owner, by an API key with all scopes. */
  readonly api: Client;
  readonly apiKey: string;
}

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
}

const PASSWORD = 'correct horse battery staple 1';

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString('hex')}`;
}

/** Where organisations are made: a running application, or one process of an installation. */
interface Place {
  readonly baseUrl: string;
  readonly firstRun: { readonly operatorKey: string };
}

/** Another organisation beside `demo`, made by the operator. */
export async function createTenant(
  app: Place,
  { slug = uniqueName('tenant'), region }: { slug?: string; region?: Region } = {},
): Promise<TestTenant> {
  const operator = client(app.baseUrl, app.firstRun.operatorKey);
  const email = `owner@${slug}.example`;
  const owner = { email, password: PASSWORD };
  const body = { slug, name: slug, owner, ...(region && { region }) };
  const created = await must(operator.post<CreatedOrganisationDto>('/v1/tenants', body), 201);
  const { accessToken } = await signIn(app, slug, owner);
  const apiKey = await createApiKey(client(app.baseUrl, accessToken), ['*:admin']);
  return {
    id: created.id,
    slug,
    owner: { id: created.owner.id, ...owner },
    api: client(app.baseUrl, apiKey.key),
    apiKey: apiKey.key,
  };
}

export function signIn(
  app: Pick<Place, 'baseUrl'>,
  slug: string,
  { email, password }: { email: string; password: string },
): Promise<TokensDto> {
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': slug });
  return must(anyone.post<TokensDto>('/v1/auth/login', { email, password }), 200);
}

export function createApiKey(api: Client, scopes: readonly string[]): Promise<CreatedApiKeyDto> {
  return must(api.post<CreatedApiKeyDto>('/v1/api-keys', { name: uniqueName('key'), scopes }), 201);
}

/** Adds a person to the tenant whose client this is. */
export async function createPerson(api: Client, role: string): Promise<Person> {
  const email = `${uniqueName(role.toLowerCase())}@people.example`;
  const body = { email, password: PASSWORD, role };
  const { id } = await must(api.post<UserDto>('/v1/users', body), 201);
  return { id, email, password: PASSWORD };
}
