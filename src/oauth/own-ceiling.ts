import { Injectable } from '@nestjs/common';
import { ApiKeyEntity, Authority, GrantExceedsOwn, refuseWiderScopes } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import type { Actor } from '../platform/http/request-context.js';
import { ClientEntity } from './client.entity.js';

/** What limits a client, and the keys and clients that may make one. */
type Limits = Pick<ClientEntity, 'allowedNetworks' | 'expiresAt'> &
  Partial<Pick<ClientEntity, 'accessTokenMinutes' | 'dpopBound'>>;

/** Nobody makes a client, or a secret of one, that can do more than they can, from elsewhere, or for longer. */
@Injectable()
export class OwnCeiling {
  constructor(
    private readonly database: TenantDatabase,
    private readonly authority: Authority,
  ) {}

  /** @throws {GrantExceedsOwn} */
  async require(actor: Actor, client: ClientEntity): Promise<void> {
    await this.authority.overClient(actor, client);
    refuseWiderScopes(actor, client.scopes);
    const own = await this.#limitsOf(actor);
    if (own) refuseBeyond(own, client);
  }

  /** For what gives nobody anything, such as deleting it. @throws {GrantExceedsOwn} */
  requireOver(actor: Actor, client: ClientEntity): Promise<void> {
    return this.authority.overClient(actor, client);
  }

  /** What it has where nothing is said: its maker's own limits. */
  async defaults(actor: Actor): Promise<Pick<Limits, 'allowedNetworks' | 'expiresAt'>> {
    const own = await this.#limitsOf(actor);
    return { allowedNetworks: own?.allowedNetworks ?? null, expiresAt: own?.expiresAt ?? null };
  }

  /** Undefined for people, who have none. */
  async #limitsOf({ type, id }: Actor): Promise<Limits | undefined> {
    if (type !== 'api_key' && type !== 'client') return undefined;
    const entity = type === 'client' ? ClientEntity : ApiKeyEntity;
    const found: Limits | null = await this.database
      .repository<Limits & { id: string }>(entity)
      .findOneBy({ id });
    if (!found) throw new GrantExceedsOwn('anything');
    return found;
  }
}

function refuseBeyond(own: Limits, client: ClientEntity): void {
  if (own.allowedNetworks && !isSame(own.allowedNetworks, client.allowedNetworks))
    throw new GrantExceedsOwn('use from other networks');
  if (own.expiresAt && (client.expiresAt === null || client.expiresAt > own.expiresAt))
    throw new GrantExceedsOwn('a longer life');
  if (client.accessTokenMinutes > (own.accessTokenMinutes ?? Infinity))
    throw new GrantExceedsOwn('tokens that live longer');
  if (own.dpopBound === true && !client.dpopBound)
    throw new GrantExceedsOwn('tokens that are bound to no key');
}

function isSame(some: readonly string[], others: readonly string[] | null): boolean {
  return others !== null && JSON.stringify(some.toSorted()) === JSON.stringify(others.toSorted());
}
