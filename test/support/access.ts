import type { AgentDto, ProjectDto } from '../../src/agents/agents.dto.js';
import type { GrantDto } from '../../src/roles/grants.dto.js';
import type { RoleDto } from '../../src/roles/roles.dto.js';
import { createAgent, createProject } from './agents.js';
import { client, must, type Client } from './client.js';
import type { RunningApplication } from './shared-application.js';
import { createPerson, signIn, uniqueName, type Person, type TestTenant } from './tenants.js';

/** A person and their client, signed in. */
export interface Signed {
  readonly person: Person;
  readonly api: Client;
}

type Place = Pick<RunningApplication, 'baseUrl'>;

export async function personOf(app: Place, tenant: TestTenant, role: string): Promise<Signed> {
  const person = await createPerson(tenant.api, role);
  const { accessToken } = await signIn(app, tenant.slug, person);
  return { person, api: client(app.baseUrl, accessToken) };
}

/** A project with agents in it. */
export interface Furnished {
  readonly project: ProjectDto;
  readonly agents: readonly AgentDto[];
}

export async function furnished(api: Client, agents: number): Promise<Furnished> {
  const project = await createProject(api);
  const made: AgentDto[] = [];
  for (let at = 0; at < agents; at += 1) made.push(await createAgent(api, { projectId: project.id }));
  return { project, agents: made };
}

/** The first of its agents. */
export function anAgent({ agents: [first] }: Furnished): AgentDto {
  if (!first) throw new Error('It was furnished with none.');
  return first;
}

/** What is granted: a default role by its name, or one of the own making by its id. */
export type Granted = { readonly role: string } | { readonly roleId: string };

/** Grants a role; `where` is the path's beginning, such as `projects/<id>/`. */
export function grant(api: Client, where: string, userId: string, granted: Granted): Promise<GrantDto> {
  const body = { principal: { type: 'user', id: userId }, ...granted };
  return must(api.post<GrantDto>(`/v1/${where}grants`, body), 201);
}

export function makeRole(api: Client, permissions: readonly string[]): Promise<RoleDto> {
  return must(api.post<RoleDto>('/v1/roles', { name: uniqueName('role'), permissions }), 201);
}

export async function idsIn(api: Client, path: string, limit = 100): Promise<string[]> {
  return (await api.all<{ id: string }>(path, limit)).map(({ id }) => id);
}
