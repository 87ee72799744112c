import { createHash } from 'node:crypto';
import type pg from 'pg';
import { searchColumns } from './audit-event.js';
import type { ColdRange } from './cold-log.js';
import type { StoredEvent } from './stored-event.js';

interface CopyRow extends pg.QueryResultRow {
  readonly seq: string;
  /** Null where the restored range lacks the event. */
  readonly digest: Buffer | null;
  readonly at: string;
  readonly action: string;
  readonly actor: string;
}

/** The events of a cold range as they were restored for searching: whichever is not there, or not as it is in the range. */
const COPIES = `SELECT n.seq, sha256(r.event || r.chain_hash) AS digest,
    to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, r.action, r.actor
  FROM audit.restores s
  CROSS JOIN LATERAL generate_series(greatest(s.first, $2::bigint), least(s.last, $3::bigint)) AS n (seq)
  LEFT JOIN audit.restored r ON r.restore = s.id AND r.seq = n.seq
  WHERE s.tenant = $1 AND s.status = 'READY' AND s.expires_at > now() ORDER BY n.seq`;

/** Of events that a range was never asked for. */
const STRAYS = `SELECT r.seq FROM audit.restores s JOIN audit.restored r ON r.restore = s.id
  WHERE s.tenant = $1 AND (r.seq < s.first OR r.seq > s.last) ORDER BY r.seq LIMIT 1`;

/** The first event of a verified cold range whose restored copy, which searches answer, says something else. */
export async function alteredCopy(
  pool: pg.Pool,
  tenant: string,
  { first, last }: ColdRange,
  events: readonly StoredEvent[],
): Promise<number | undefined> {
  const { rows } = await pool.query<CopyRow>(COPIES, [tenant, first, last]);
  const altered = rows.find((row) => {
    const stored = events[Number(row.seq) - first];
    return !stored || !isCopy(row, stored, tenant);
  });
  return altered && Number(altered.seq);
}

export async function strayCopy(pool: pg.Pool, tenant: string): Promise<number | undefined> {
  const { rows } = await pool.query<{ seq: string }>(STRAYS, [tenant]);
  return rows[0] && Number(rows[0].seq);
}

function isCopy(
  { digest, at, action, actor }: CopyRow,
  { event, chain }: StoredEvent,
  tenant: string,
): boolean {
  const said = searchColumns(event, tenant);
  const whole = createHash('sha256').update(event).update(chain).digest();
  return digest?.equals(whole) === true && said?.at === at && said.action === action && said.actor === actor;
}
