import type { CreatedDirectoryTokenDto, DirectoryDto } from '../../src/scim/directories.dto.js';
import { must, type Client } from './client.js';
import { steppedUp } from './single-sign-on.js';
import { uniqueName, type TestTenant } from './tenants.js';

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
export const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

export type Resource = Record<string, unknown> & {
  readonly id: string;
  readonly meta: { readonly location: string; readonly version: string; readonly created: string };
};

export interface ScimReply<T = Resource> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface ScimList {
  readonly totalResults?: number;
  readonly startIndex?: number;
  readonly itemsPerPage: number;
  readonly nextCursor?: string;
  readonly Resources: readonly Resource[];
}

export interface ScimRefusal {
  readonly status: number;
  readonly scimType: string | undefined;
}

/** What a directory sends: every answer is one of SCIM's, whatever it says. */
export class ScimClient {
  constructor(
    readonly baseUrl: string,
    private readonly token: string,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  with(headers: Readonly<Record<string, string>>): ScimClient {
    return new ScimClient(this.baseUrl, this.token, { ...this.headers, ...headers });
  }

  async send<T = Resource>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ScimReply<T>> {
    const content = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
    const response = await fetch(`${this.baseUrl}/scim/v2${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(content !== undefined && { 'content-type': 'application/scim+json' }),
        ...this.headers,
        ...headers,
      },
      ...(content !== undefined && { body: content }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    if (text !== '' && !type.startsWith('application/scim+json'))
      throw new Error(`${method} ${path} was answered as ${type}: ${text}`);
    const parsed = (text === '' ? undefined : JSON.parse(text)) as T;
    if (response.status >= 400) requireError(response.status, parsed);
    return { status: response.status, headers: response.headers, body: parsed };
  }

  get<T = Resource>(path: string): Promise<ScimReply<T>> {
    return this.send<T>('GET', path);
  }

  post<T = Resource>(path: string, body: unknown): Promise<ScimReply<T>> {
    return this.send<T>('POST', path, body);
  }

  put<T = Resource>(path: string, body: unknown): Promise<ScimReply<T>> {
    return this.send<T>('PUT', path, body);
  }

  patch<T = Resource>(path: string, ...operations: unknown[]): Promise<ScimReply<T>> {
    return this.send<T>('PATCH', path, { schemas: [PATCH], Operations: operations });
  }

  delete(path: string): Promise<ScimReply<undefined>> {
    return this.send<undefined>('DELETE', path);
  }

  async find(kind: 'Users' | 'Groups', filter: string, query = ''): Promise<readonly Resource[]> {
    return (await mustScim(this.get<ScimList>(`/${kind}?filter=${encodeURIComponent(filter)}${query}`), 200))
      .Resources;
  }
}

/** RFC 7644 section 3.12. */
function requireError(status: number, body: unknown): void {
  const {
    schemas,
    status: said,
    detail,
  } = body as { schemas?: unknown[]; status?: unknown; detail?: unknown };
  const wellFormed =
    schemas?.[0] === 'urn:ietf:params:scim:api:messages:2.0:Error' &&
    said === String(status) &&
    typeof detail === 'string';
  if (!wellFormed) throw new Error(`${status} is no error of SCIM: ${JSON.stringify(body)}`);
}

export async function mustScim<T>(reply: Promise<ScimReply<T>>, status: number): Promise<T> {
  const got = await reply;
  if (got.status !== status)
    throw new Error(`Expected ${status}, got ${got.status}: ${JSON.stringify(got.body)}`);
  return got.body;
}

export async function scimRefusal(reply: Promise<ScimReply<unknown>>): Promise<ScimRefusal> {
  const { status, body } = await reply;
  return { status, scimType: (body as { scimType?: string } | undefined)?.scimType };
}

export interface TestDirectory {
  readonly id: string;
  readonly token: string;
  readonly scim: ScimClient;
}

const owners = new WeakMap<TestTenant, Promise<Client>>();

/** One session of the owner's for all that a test sets: a person has a few of them only. */
export function ownerOf(app: { readonly baseUrl: string }, tenant: TestTenant): Promise<Client> {
  const known = owners.get(tenant) ?? steppedUp(app, tenant);
  owners.set(tenant, known);
  return known;
}

/** A directory of an organisation, set by its owner, with a token. */
export async function createDirectory(
  app: { readonly baseUrl: string },
  tenant: TestTenant,
  settings: object = {},
): Promise<TestDirectory> {
  const owner = await ownerOf(app, tenant);
  const body = { name: uniqueName('directory'), kind: 'generic', ...settings };
  const { id } = await must(owner.post<DirectoryDto>('/v1/scim/directories', body), 201);
  const made = owner.post<CreatedDirectoryTokenDto>(`/v1/scim/directories/${id}/tokens`, {});
  const { token } = await must(made, 201);
  return { id, token, scim: new ScimClient(app.baseUrl, token) };
}

export function person(fields: object = {}): Record<string, unknown> & { userName: string } {
  return { schemas: [USER], userName: `${uniqueName('person')}@people.example`, ...fields };
}

export function group(fields: object = {}): Record<string, unknown> & { displayName: string } {
  return { schemas: [GROUP], displayName: uniqueName('group'), ...fields };
}
