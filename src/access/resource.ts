import type { TenantId } from '../platform/database/index.js';

/** What a condition may look at: which environment something is for, and how it was tagged. */
export interface Labels {
  readonly environment: string | null;
  readonly tags: readonly string[];
}

interface Node extends Labels {
  readonly id: string;
}

/** Something that permission is asked for, with everything above it. What an agent does not say its project says for it. */
export interface Resource {
  /** None: the installation. */
  readonly tenant?: TenantId;
  readonly project?: Node;
  readonly agent?: Node;
  /** Tells it, as it is now, from every other. */
  readonly key: string;
}

export const INSTALLATION: Resource = Object.freeze({ key: 'installation' });

export function organisation(tenant: TenantId): Resource {
  return { tenant, key: tenant };
}

/** The organisation where there is one, and the installation otherwise. */
export function wholeOf(tenant: TenantId | undefined): Resource {
  return tenant === undefined ? INSTALLATION : organisation(tenant);
}

export function projectResource(tenant: TenantId, project: Node): Resource {
  return { tenant, project, key: keyOf(tenant, [project]) };
}

export function agentResource(tenant: TenantId, project: Node, agent: Node): Resource {
  return { tenant, project, agent, key: keyOf(tenant, [project, agent]) };
}

/** Kind and id, as events and people name it; undefined for what is no part of an organisation. */
export function nameOf({ agent, project }: Resource): { type: string; id: string } | undefined {
  if (agent) return { type: 'agent', id: agent.id };
  return project && { type: 'project', id: project.id };
}

function keyOf(tenant: TenantId, nodes: readonly Node[]): string {
  return JSON.stringify([tenant, ...nodes.map(({ id, environment, tags }) => [id, environment, tags])]);
}
