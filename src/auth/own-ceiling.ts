import { Injectable } from '@nestjs/common';
import { includedScopes } from '../access/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { InvalidRequest } from '../platform/http/errors.js';
import type { Actor } from '../platform/http/request-context.js';
import { GrantExceedsOwn } from './auth.errors.js';

/** What limits a key or a client beside its scopes. */
export interface Limits {
  /** `null`: it may be used from everywhere. */
  readonly allowedNetworks: string[] | null;
  /** In which projects alone; `null`: not limited. */
  readonly projects: string[] | null;
  /** `null`: never. */
  readonly expiresAt: Date | null;
  /** `null`: as many as the organisation may send. Clients have no limit of their own. */
  readonly requestsPerMinute: number | null;
  /** Of clients alone. */
  readonly accessTokenMinutes?: number;
  readonly dpopBound?: boolean;
}

interface Row extends Record<string, unknown> {
  readonly allowed_networks: string[] | null;
  readonly projects: string[] | null;
  readonly expires_at: Date | null;
  readonly requests_per_minute?: number | null;
  readonly access_token_minutes?: number;
  readonly dpop_bound?: boolean;
}

const NO_LIMITS = { allowedNetworks: null, projects: null, expiresAt: null, requestsPerMinute: null };

/** The rows of clients are another room's (src/oauth), which imports this one. */
const OWN = {
  api_key: 'SELECT allowed_networks, projects, expires_at, requests_per_minute FROM api_keys WHERE id = $1',
  client:
    'SELECT allowed_networks, projects, expires_at, access_token_minutes, dpop_bound FROM oauth_clients WHERE id = $1',
} as const;

/**
 * Nobody makes, renews or rotates a key, a client or a secret of one that can do more than they can, from elsewhere, more
 * often, or for longer. People have no limits but their role.
 */
@Injectable()
export class OwnCeiling {
  constructor(private readonly database: TenantDatabase) {}

  /** @throws {GrantExceedsOwn} */
  async require(actor: Actor, asked: Limits & { readonly scopes: readonly string[] }): Promise<void> {
    refuseWiderScopes(actor, asked.scopes);
    const own = await this.#limitsOf(actor);
    if (own) refuseBeyond(own, asked);
    if (asked.projects) await this.#requireThere(asked.projects);
  }

  /** Their rows are another room's too (src/agents). No project is ever deleted. */
  async #requireThere(projects: readonly string[]): Promise<void> {
    const found = await this.database.query({
      text: 'SELECT id FROM projects WHERE id = ANY ($1::uuid[])',
      values: [projects],
    });
    if (found.length === projects.length) return;
    const detail = 'each of projects must be the id of a project of this organisation';
    throw new InvalidRequest([{ pointer: '/projects', detail }]);
  }

  /** What is made has where nothing is said: its maker's own limits. */
  async defaults(actor: Actor): Promise<Omit<Limits, 'accessTokenMinutes' | 'dpopBound'>> {
    return (await this.#limitsOf(actor)) ?? NO_LIMITS;
  }

  /** Undefined for people, who have none. */
  async #limitsOf({ type, id }: Actor): Promise<Limits | undefined> {
    if (type !== 'api_key' && type !== 'client') return undefined;
    const [row] = await this.database.query<Row>({ text: OWN[type], values: [id] });
    if (!row) throw new GrantExceedsOwn('anything');
    return {
      allowedNetworks: row.allowed_networks,
      projects: row.projects,
      expiresAt: row.expires_at,
      requestsPerMinute: row.requests_per_minute ?? null,
      ...(row.access_token_minutes !== undefined && { accessTokenMinutes: row.access_token_minutes }),
      ...(row.dpop_bound !== undefined && { dpopBound: row.dpop_bound }),
    };
  }
}

function refuseWiderScopes(actor: Actor, scopes: readonly string[]): void {
  if (!actor.scopes) return;
  const own = new Set(includedScopes(actor.scopes));
  const wider = includedScopes(scopes).find((scope) => !own.has(scope));
  if (wider) throw new GrantExceedsOwn(`the scope ${wider}`);
}

/** Throws where something would go beyond the limits of whoever makes or rotates it. @throws {GrantExceedsOwn} */
export function refuseBeyond(own: Limits, asked: Limits): void {
  if (own.allowedNetworks && !isSame(own.allowedNetworks, asked.allowedNetworks))
    throw new GrantExceedsOwn('use from other networks');
  if (own.projects && !isWithin(asked.projects, own.projects)) throw new GrantExceedsOwn('other projects');
  if (own.expiresAt && (asked.expiresAt === null || asked.expiresAt > own.expiresAt))
    throw new GrantExceedsOwn('a longer life');
  if ((asked.requestsPerMinute ?? Infinity) > (own.requestsPerMinute ?? Infinity))
    throw new GrantExceedsOwn('more requests a minute');
  if ((asked.accessTokenMinutes ?? 0) > (own.accessTokenMinutes ?? Infinity))
    throw new GrantExceedsOwn('tokens that live longer');
  if (own.dpopBound === true && asked.dpopBound === false)
    throw new GrantExceedsOwn('tokens that are bound to no key');
}

function isSame(some: readonly string[], others: readonly string[] | null): boolean {
  return others !== null && JSON.stringify(some.toSorted()) === JSON.stringify(others.toSorted());
}

function isWithin(some: readonly string[] | null, others: readonly string[]): boolean {
  return some !== null && some.every((one) => others.includes(one));
}
