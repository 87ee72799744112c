import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { currentTenant, TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { ServiceUnavailable } from '../platform/http/errors.js';
import type { Actor } from '../platform/http/request-context.js';
import { compilePolicies } from './compile-policies.js';
import { NO_POLICIES, type PolicyVersion } from './policy-sets.js';

const VERSIONS_IN_MEMORY = 1_000;

/** The policies that an organisation has written itself. A version never changes: which of them is in force is read with each principal. */
@Injectable()
export class OrganisationPolicies {
  readonly #known = new LRUCache<string, PolicyVersion>({ max: VERSIONS_IN_MEMORY });

  constructor(private readonly database: TenantDatabase) {}

  /** Those in force for somebody, where they are in memory. */
  remembered({ tenant, access }: Actor): PolicyVersion | undefined {
    const version = access?.policies ?? 0;
    return version === 0 ? NO_POLICIES : this.#known.get(`${tenant}@${version}`);
  }

  /** Those of the organisation in scope as they are at this moment, inside the running transaction. */
  async inForce(): Promise<PolicyVersion> {
    const [row] = await this.database.query<{ version: number | null }>({
      name: 'policies_in_force',
      text: 'SELECT version FROM access_policy_activations ORDER BY number DESC LIMIT 1',
      values: [],
    });
    return this.of(currentTenant(), row?.version ?? 0);
  }

  async of(tenant: TenantRef, version: number): Promise<PolicyVersion> {
    if (version === 0) return NO_POLICIES;
    const key = `${tenant.id}@${version}`;
    const known = this.#known.get(key);
    if (known) return known;
    const [row] = await this.database.within(tenant, () =>
      this.database.query<{ text: string }>({
        name: 'access_policies',
        text: 'SELECT text FROM access_policies WHERE version = $1',
        values: [version],
      }),
    );
    // Without its policies nobody knows what an organisation forbids: nothing is decided.
    if (!row) throw new ServiceUnavailable('The policies of the organisation cannot be read right now.');
    const compiled = compilePolicies(row.text, key, version);
    this.#known.set(key, compiled);
    return compiled;
  }
}
