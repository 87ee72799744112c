import type { Caller } from './api.ts';
import type { EmbeddedDatabase } from './database.ts';
import type { Narrator } from './narrator.ts';

interface LoggedEvent {
  readonly seq: number;
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly outcome: string;
  readonly actor: { readonly type: string };
}

interface Verification {
  readonly valid: boolean;
  readonly checked: number;
  readonly finding?: {
    readonly seq: number;
    readonly id?: string;
    readonly kind: string;
    readonly message: string;
  };
}

export async function events(owner: Caller, query = ''): Promise<readonly LoggedEvent[]> {
  const answer = await owner.get(`/v1/audit/events?limit=200${query}`);
  return (answer.body as { items?: LoggedEvent[] }).items ?? [];
}

export async function verify(owner: Caller): Promise<Verification> {
  return (await owner.get('/v1/audit/verify')).body as Verification;
}

/** The log as its owner reads it, and that it holds what the walk did. */
export async function readLog(tell: Narrator, owner: Caller): Promise<void> {
  const log = await events(owner);
  for (const { seq, at, action, outcome, actor } of log.slice(0, 8)) {
    tell.say(`#${String(seq).padEnd(4)} ${at}  ${action.padEnd(22)} ${actor.type.padEnd(8)} ${outcome}`);
  }
  const expected = [
    'tenant.created',
    'session.created',
    'api_key.created',
    'project.created',
    'agent.created',
    'agent.published',
    'run.created',
    'run.started',
    'run.completed',
  ];
  const missing = expected.filter((action) => !log.some((event) => event.action === action));
  tell.check('every step of this tour is in it', missing.length === 0, { missing });
  const denied = log.some((event) => event.action === 'audit.events_read' && event.outcome === 'denied');
  tell.check('refusals too', denied);
  const whole = await verify(owner);
  tell.show('GET /v1/audit/verify', whole);
  tell.check('it verifies, from its first event to its head', whole.valid && whole.checked >= log.length);
}

/** One bit of one stored event, changed by the database's superuser, and put back. */
export async function tamper(
  tell: Narrator,
  owner: Caller,
  database: EmbeddedDatabase,
  tenant: string,
): Promise<void> {
  const [target] = await events(owner, '&action=agent.published');
  if (!target) return tell.check('there is an event to change', false);
  const flip = (): Promise<string> =>
    database.asSuperuser(async (client) => {
      const { rows } = await client.query<{ event: Buffer }>(
        `UPDATE audit.events SET event = set_byte(event, position('success' in convert_from(event, 'UTF8')),
           get_byte(event, position('success' in convert_from(event, 'UTF8'))) # 1)
         WHERE tenant = $1 AND seq = $2 RETURNING event`,
        [tenant, target.seq],
      );
      return rows[0]?.event.toString('utf8') ?? '';
    });
  tell.say(`The superuser changes one byte of event #${target.seq} (${target.action}):`);
  const changed = await flip();
  tell.show('now stored', /"outcome":"[^"]*"/.exec(changed)?.[0] ?? changed);
  const found = await verify(owner);
  tell.show('GET /v1/audit/verify', found.finding);
  tell.check('the verification fails', !found.valid, found);
  tell.check(
    `and names the event: #${target.seq}, ${target.id}`,
    found.finding?.seq === target.seq &&
      found.finding.id === target.id &&
      found.finding.kind === 'event_altered',
    found,
  );
  await database.asSuperuser((client) =>
    client.query('UPDATE audit.events SET event = $3 WHERE tenant = $1 AND seq = $2', [
      tenant,
      target.seq,
      Buffer.from(restored(changed)),
    ]),
  );
  tell.check('with the byte put back it verifies again', (await verify(owner)).valid);
}

/** `success` with the lowest bit of its second letter changed is `stccess`. */
function restored(changed: string): string {
  return changed.replace('"outcome":"stccess"', '"outcome":"success"');
}

/** What became of an event that one organisation forged in the name of another. */
export async function forgedEventRejected(tell: Narrator, forger: Caller, victim: Caller): Promise<void> {
  const rejected = await events(forger, '&action=audit.event_rejected');
  tell.check("the forger's own log says that it was rejected", rejected.length === 1, rejected);
  const arrived = await events(victim, '&actor=forged');
  tell.check("the other's log has nothing of it", arrived.length === 0, arrived);
  const logs = [await verify(forger), await verify(victim)];
  tell.check(
    'both logs verify',
    logs.every(({ valid }) => valid),
    logs,
  );
}
