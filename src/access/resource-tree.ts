import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Feed, TenantDatabase, type TenantId, type TenantRef } from '../platform/database/index.js';
import { UUID_KEY } from '../platform/http/pagination.js';
import type { RowKind } from './condition.js';
import { agentResource, projectResource, type Labels, type Resource } from './resource.js';

interface Row {
  project_id: string;
  project_environment: string | null;
  project_tags: string[];
  agent_id?: string;
  agent_environment?: string | null;
  agent_tags?: string[];
}

const ABOVE_AGENT = `a.id AS agent_id, a.environment AS agent_environment, a.tags AS agent_tags,
  p.id AS project_id, p.environment AS project_environment, p.tags AS project_tags
  FROM agents a JOIN projects p ON p.id = a.project_id`;
/** Deleted agents have runs still, which are read with the same right. */
const FIND: Readonly<Record<RowKind, string>> = {
  project: `SELECT id AS project_id, environment AS project_environment, tags AS project_tags FROM projects WHERE id = $1`,
  agent: `SELECT ${ABOVE_AGENT} WHERE a.id = $1`,
  run: `SELECT ${ABOVE_AGENT} JOIN runs r ON r.agent_id = a.id WHERE r.id = $1`,
};
const TENANTS_IN_MEMORY = 1_000;
const RESOURCES_OF_A_TENANT = 2_000;

/**
 * Where in an organisation's tree something stands, and how it is labelled. What never changes is read once; labels are
 * read anew when the change feed says that they were changed, and while it says nothing they are read each time.
 */
@Injectable()
export class ResourceTree implements OnModuleInit {
  readonly #known = new LRUCache<TenantId, LRUCache<string, Resource>>({ max: TENANTS_IN_MEMORY });
  #changesHeard = 0;

  constructor(
    private readonly database: TenantDatabase,
    private readonly feed: Feed,
  ) {}

  onModuleInit(): void {
    this.feed.subscribe(({ kind, tenant }) => {
      if (kind !== 'labels' && kind !== 'tenant') return;
      this.#changesHeard += 1;
      if (kind === 'tenant') this.#known.clear();
      else this.#known.delete(tenant as TenantId);
    });
  }

  /** Where it is in memory: for requests, which then need not wait. */
  remembered(tenant: TenantRef, kind: RowKind, id: string): Resource | undefined {
    return this.feed.reliable() ? this.#known.get(tenant.id)?.get(`${kind} ${id}`) : undefined;
  }

  /** Undefined where the organisation has no such thing. */
  async find(tenant: TenantRef, kind: RowKind, id: string): Promise<Resource | undefined> {
    const remembered = this.remembered(tenant, kind, id);
    if (remembered) return remembered;
    if (!UUID_KEY.test(id)) return undefined;
    const heard = this.#changesHeard;
    const [row] = await this.database.within(tenant, () =>
      this.database.query<Row & Record<string, unknown>>({
        name: `place_of_${kind}`,
        text: FIND[kind],
        values: [id],
      }),
    );
    if (!row) return undefined;
    const resource = resourceOf(tenant.id, row);
    // Labels that were changed while the row was on its way may not be these.
    if (heard === this.#changesHeard && this.feed.reliable())
      this.#remember(tenant.id, `${kind} ${id}`, resource);
    return resource;
  }

  #remember(tenant: TenantId, key: string, resource: Resource): void {
    const own = this.#known.get(tenant) ?? new LRUCache<string, Resource>({ max: RESOURCES_OF_A_TENANT });
    own.set(key, resource);
    this.#known.set(tenant, own);
  }
}

function resourceOf(tenant: TenantId, row: Row): Resource {
  const project = {
    id: row.project_id,
    environment: row.project_environment,
    tags: row.project_tags,
  };
  if (row.agent_id === undefined) return projectResource(tenant, project);
  const own: Labels = { environment: row.agent_environment ?? null, tags: row.agent_tags ?? [] };
  return agentResource(tenant, project, { id: row.agent_id, ...effective(own, project) });
}

/** What an agent does not say its project says for it. */
function effective(own: Labels, project: Labels): Labels {
  return {
    environment: own.environment ?? project.environment,
    tags: [...new Set([...own.tags, ...project.tags])],
  };
}
