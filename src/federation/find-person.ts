import { Injectable } from '@nestjs/common';
import { BlindLookup } from '../encryption/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { FederatedIdentityEntity, subjectKey } from './federated-identity.entity.js';

const MOST_CONNECTIONS = 40;

/** Who somebody is here whom a provider knows by a subject of its own. */
@Injectable()
export class FindPerson {
  constructor(
    private readonly database: TenantDatabase,
    private readonly lookup: BlindLookup,
  ) {}

  /** The ids of the accounts: one, none, or several where several connections of one issuer have led to different ones. */
  async bySubject(issuer: string, subject: string): Promise<readonly string[]> {
    const connections = await this.database.query<{ id: string }>({
      text: `SELECT id FROM sso_connections WHERE settings ->> 'issuer' = $1 OR settings ->> 'entityId' = $1
        ORDER BY id LIMIT ${MOST_CONNECTIONS}`,
      values: [issuer],
    });
    const found = new Set<string>();
    for (const { id } of connections) {
      const key = subjectKey(id, issuer, subject);
      const identity = await this.lookup.findOne(FederatedIdentityEntity, 'subject', key);
      if (identity) found.add(identity.userId);
    }
    return [...found].toSorted();
  }
}
