import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { secretHash } from '../auth/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { newClientSecret } from '../platform/http/credential.js';
import { isAlive } from './client-dto.js';
import { ClientSecretEntity } from './client.entity.js';

const SHOWN_CHARACTERS = 8;
/** So many work at a time. */
const AT_ONCE = 2;
/** Nothing has this hash. */
const NONE = { secretHash: Buffer.alloc(32), expiresAt: null };

/** Secrets of clients, of the tenant in scope. What writes runs in the caller's unit of work. */
@Injectable()
export class ClientSecrets {
  constructor(private readonly database: TenantDatabase) {}

  /** Of these clients, the older first. */
  of(clientIds: readonly string[]): Promise<ClientSecretEntity[]> {
    if (clientIds.length === 0) return Promise.resolve([]);
    return this.database
      .repository(ClientSecretEntity)
      .find({ where: { clientId: In([...clientIds]) }, order: { id: 'ASC' } });
  }

  /** Whether it is one of them that works now. In the same steps whichever it is, and where there are none. */
  async verify(clientId: string, secret: string): Promise<boolean> {
    const given = secretHash(secret);
    const known = await this.of([clientId]);
    const compared = [...known, ...Array.from({ length: AT_ONCE }, () => NONE)].slice(0, AT_ONCE);
    const matches = compared.map((one) => timingSafeEqual(one.secretHash, given) && isAlive(one));
    return matches.includes(true);
  }

  /** A new one, as it is shown once. */
  async add(
    clientId: string,
    expiresAt: Date | null,
  ): Promise<{ secret: string; entity: ClientSecretEntity }> {
    const secret = newClientSecret();
    const secrets = this.database.repository(ClientSecretEntity);
    const entity = secrets.create({
      id: uuidv7(),
      clientId,
      secretHash: secretHash(secret),
      prefix: secret.slice(0, SHOWN_CHARACTERS),
      expiresAt,
    });
    await secrets.insert(entity);
    return { secret, entity };
  }

  /** Lets the newest go on for a while beside its successor, and takes away whatever is older. */
  async retire(clientId: string, overlapSeconds: number): Promise<void> {
    const secrets = this.database.repository(ClientSecretEntity);
    const alive = (await this.of([clientId])).filter(isAlive);
    const newest = alive.at(-1);
    const until = new Date(Date.now() + overlapSeconds * 1_000);
    const kept = overlapSeconds > 0 ? newest : undefined;
    await this.database.query({
      text: 'DELETE FROM oauth_client_secrets WHERE client_id = $1 AND id IS DISTINCT FROM $2::uuid',
      values: [clientId, kept?.id ?? null],
    });
    if (kept && (kept.expiresAt === null || kept.expiresAt > until))
      await secrets.update({ id: kept.id }, { expiresAt: until });
  }
}
