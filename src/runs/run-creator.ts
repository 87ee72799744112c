import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';
import { UUID_KEY } from '../platform/http/pagination.js';

/** Who has ordered a run. */
export interface RunCreator {
  /** A person, a key, a client, or support that acted for a person. */
  readonly id: string;
  /** For support: the person for whom it acted. */
  readonly userId?: string;
  /** Whether they may act still. */
  readonly active: boolean;
}

interface Row extends Record<string, unknown> {
  readonly person: string | null;
  readonly support: boolean;
  readonly active: boolean;
}

/** The rows are other rooms', which import this one or know nothing of it. */
const FIND = `WITH support AS (
    SELECT id, user_id, ended_at IS NULL AND expires_at > now() AS open FROM impersonations WHERE id = $1 FOR SHARE),
  client AS (SELECT status FROM oauth_clients WHERE id = $1 FOR SHARE),
  person AS (
    SELECT id, status FROM users
    WHERE id = COALESCE((SELECT user_id FROM support), (SELECT user_id FROM api_keys WHERE id = $1), $1) FOR SHARE)
  SELECT (SELECT id FROM person) AS person, EXISTS (SELECT FROM support) AS support,
    COALESCE((SELECT status = 'active' FROM client),
      (SELECT status = 'active' FROM person) AND COALESCE((SELECT open FROM support), true), false) AS active`;

@Injectable()
export class RunCreators {
  constructor(private readonly database: TenantDatabase) {}

  /**
   * Locked until the end of the transaction: whoever ends their access meanwhile comes after it, and finds what was begun; or
   * has come before, and nothing is begun.
   */
  async locked(id: string): Promise<RunCreator> {
    if (!UUID_KEY.test(id)) return { id, active: false };
    const [row] = await this.database.query<Row>({ name: 'run_creator', text: FIND, values: [id] });
    return {
      id,
      ...(row?.support && row.person !== null && { userId: row.person }),
      active: row?.active ?? false,
    };
  }
}
