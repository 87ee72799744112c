import type { Cell } from '../platform/database/index.js';

/** A destination that is far behind. */
export interface Lagging {
  readonly tenant: string;
  readonly destination: string;
  readonly error: string | null;
  readonly lagSeconds: number;
}

/** The event that is to be delivered next; where it is cold by now, the time before which all of its object was recorded. */
export const NEXT_EVENT = `
  LEFT JOIN audit.events e ON e.tenant = d.tenant AND e.seq = d.seq + 1
  LEFT JOIN LATERAL (
    SELECT c.appended_before, c.last FROM audit.cold c
    WHERE c.tenant = d.tenant AND c.published AND c.first <= d.seq + 1 ORDER BY c.first DESC LIMIT 1) c ON c.last > d.seq`;
export const LAG_SECONDS = 'COALESCE(extract(epoch FROM now() - COALESCE(e.at, c.appended_before)), 0)';

/** Destinations that are so far behind, and of which that was not told within the same time; it is noted that it was. */
export async function lagging(cell: Cell, seconds: number, limit: number): Promise<Lagging[]> {
  const { rows } = await cell.audit.query<Omit<Lagging, 'lagSeconds'> & { lag_seconds: string }>(
    `WITH behind AS (
       SELECT d.tenant, d.destination, ${LAG_SECONDS} AS lag_seconds
       FROM audit.deliveries d JOIN audit.heads h ON h.tenant = d.tenant ${NEXT_EVENT}
       WHERE h.seq > d.seq AND h.closed_at IS NULL AND d.due_at <> 'infinity'
         AND (d.lag_told_at IS NULL OR d.lag_told_at <= now() - make_interval(secs => $1)))
     UPDATE audit.deliveries d SET lag_told_at = now()
     FROM (SELECT * FROM behind WHERE lag_seconds >= $1 ORDER BY lag_seconds DESC LIMIT $2) b
     WHERE d.tenant = b.tenant AND d.destination = b.destination
       AND (d.lag_told_at IS NULL OR d.lag_told_at <= now() - make_interval(secs => $1))
     RETURNING d.tenant, d.destination, d.error, b.lag_seconds`,
    [seconds, limit],
  );
  return rows.map(({ tenant, destination, error, lag_seconds: lag }) => ({
    tenant,
    destination,
    error,
    lagSeconds: Math.floor(Number(lag)),
  }));
}

/** Of the destination that is furthest behind; those that are paused are not meant. */
export async function furthestBehind(cell: Cell): Promise<number> {
  const { rows } = await cell.audit.query<{ seconds: string | null }>(
    `SELECT max(${LAG_SECONDS}) AS seconds
     FROM audit.deliveries d JOIN audit.heads h ON h.tenant = d.tenant ${NEXT_EVENT}
     WHERE h.seq > d.seq AND h.closed_at IS NULL AND d.due_at <> 'infinity'`,
  );
  return Math.max(0, Number(rows[0]?.seconds ?? 0));
}
