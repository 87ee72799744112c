import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { AuditQuery } from '../src/audit/audit.dto.ts';

export const ACTOR_IN_ALL = '01999999-0000-7000-8000-000000000007';
export const RARE_ACTOR = '01999999-0000-7000-8000-0000000000ff';
const PER_STATEMENT = 250_000;
const BEGUN = '2026-08-01 00:00:00+00';

/**
 * Fills a log as an organisation of 200 actors fills it in ninety days: twelve kinds of calls, resources that are read
 * three times, a request id for each event. What is hashed plays no part here and is not.
 */
export async function fillLog(
  plain: pg.Pool,
  tenant: string,
  events: number,
  say: (line: string) => void,
): Promise<void> {
  await plain.query('ALTER TABLE audit.events_1 SET (autovacuum_enabled = false)');
  for (let first = 1; first <= events; first += PER_STATEMENT) {
    const last = Math.min(events, first + PER_STATEMENT - 1);
    await plain.query(FILL, [tenant, first, last, events]);
    if (last % 2_000_000 === 0) say(`${last} events`);
  }
  await plain.query(`INSERT INTO audit.heads (tenant, seq, chain_hash, frontier) VALUES ($1, $2, '', '')`, [
    tenant,
    events,
  ]);
  await plain.query('VACUUM ANALYZE audit.events_1');
  await plain.query('CHECKPOINT');
}

const FILL = `
  INSERT INTO audit.events (period, tenant, seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash)
  SELECT 1, $1, n, id, at, action, actor, outcome, convert_to(
    '{"v":1,"id":"' || id || '","at":"' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","tenant":"' || $1
    || '","region":"us-east-1","action":"' || action || '","actor":{"type":"user","id":"' || actor || '"},"outcome":"' || outcome
    || '","resource":{"type":"' || split_part(action, '.', 1) || '","id":"' || resource || '"},"request":{"id":"' || md5('r' || n)::uuid
    || '","method":"GET","path":"/v1/agents/{id}"},"policies":["role:Developer"],"client":{"id":"' || md5('c' || n)::uuid
    || '","sealed":"' || repeat('0123456789abcdef', 18) || '"}}', 'UTF8'), decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex')
  FROM (SELECT n, md5('e' || n)::uuid AS id, '${BEGUN}'::timestamptz + n * (interval '90 days' / $4::bigint) AS at,
      (ARRAY['agent.read', 'agent.listed', 'run.created', 'run.read', 'run.completed', 'run.started', 'agent.updated', 'project.read',
        'session.created', 'user.listed', 'audit.events_read', 'api_key.created'])[1 + mod(hashint8(n)::bigint + 2147483648, 12)] AS action,
      CASE WHEN mod(n, ($4 / 5)) = 7 THEN '${RARE_ACTOR}' WHEN mod(n, 200) = 7 THEN '${ACTOR_IN_ALL}'
        ELSE '01999999-0000-7000-8000-' || lpad(mod(n * 7919, 200)::text, 12, '0') END AS actor,
      CASE WHEN mod(n, 50) = 0 THEN 'denied' ELSE 'success' END AS outcome, md5('s' || (n / 3))::uuid AS resource
    FROM generate_series($2::bigint, $3::bigint) n) made`;

/** As `md5(text)::uuid` of the statement above. */
function madeUuid(text: string): string {
  const hex = createHash('md5').update(text).digest('hex');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const cursorAt = (seq: number): string => Buffer.from(String(seq)).toString('base64url');

/** What people ask a log, and what is worst for an index: two values that are everywhere and never together. */
export const QUERIES: Record<string, Partial<AuditQuery>> = {
  newest: {},
  action_everywhere: { action: 'agent.read' },
  action_page_in_the_middle: { action: 'agent.read', cursor: cursorAt(200_000) },
  actor_rare: { actor: RARE_ACTOR },
  actor_unknown: { actor: 'nobody' },
  actor_and_outcome_never_together: { actor: ACTOR_IN_ALL, outcome: 'denied' },
  /** Of the beginning of the log. */
  resource: { resourceId: madeUuid('s10') },
  request: { requestId: madeUuid('r35') },
  day_of_actor: {
    actor: ACTOR_IN_ALL,
    since: '2026-08-20T00:00:00Z',
    until: '2026-08-21T00:00:00Z',
  },
  everything_of_an_actor_then: {
    actor: ACTOR_IN_ALL,
    action: 'agent.read',
    outcome: 'denied',
    resourceType: 'agent',
    since: '2026-08-02T00:00:00Z',
  },
};
