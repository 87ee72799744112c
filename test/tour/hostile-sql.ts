import type pg from 'pg';
import type { EmbeddedDatabase } from './database.ts';
import type { Narrator } from './narrator.ts';

interface Attempt {
  readonly what: string;
  readonly sql: string;
  readonly values?: readonly unknown[];
  /** In a writing transaction, as a unit of work has it; else as a read of its own. */
  readonly writing?: boolean;
  /** The login may switch roles, that is its purpose: here the driver alone stands in the way. */
  readonly switchesRole?: boolean;
}

/** What somebody would try who could send any SQL as one organisation, to get at another one or at the log. */
function attempts(own: string, other: string, event: Buffer): Attempt[] {
  const read = (what: string, sql: string): Attempt => ({ what, sql });
  const change = (what: string, sql: string, writing = false): Attempt => ({
    what,
    sql,
    writing,
    switchesRole: true,
  });
  const write = (what: string, sql: string, values: unknown[] = []): Attempt => ({
    what,
    sql,
    values,
    writing: true,
  });
  return [
    read("reads the other's agents", `SELECT * FROM "${other}".agents`),
    read("reads the other's people", `SELECT * FROM "${other}".users`),
    read('becomes the other by set_config', `SELECT set_config('role', '${other}', true)`),
    change('becomes the other by SET ROLE', `SET ROLE "${other}"`),
    change('hides SET ROLE behind a comment', `/* a /* b */ c */ SET ROLE "${other}"`),
    change('goes back to the login', 'RESET ROLE'),
    read('stacks a second statement', `SELECT 1; SET ROLE "${other}"`),
    read('looks elsewhere for its tables', `SELECT set_config('search_path', '${other}', true)`),
    read('runs procedural code', `DO $$ BEGIN EXECUTE 'SET ROLE "${other}"'; END $$`),
    read('joins the other', `GRANT "${other}" TO "${own}"`),
    read('reads the audit log', 'SELECT * FROM audit.events'),
    read('reads what waits for the log', 'SELECT * FROM audit.outbox'),
    read('reads the registry', 'SELECT * FROM control.tenants'),
    read('reads the signing keys', 'SELECT * FROM control.signing_keys'),
    read('reads whose runs are due', 'SELECT * FROM work.runs'),
    read('reads the queue', 'SELECT * FROM queue.job'),
    read("reads the server's files", `SELECT pg_read_file('/etc/passwd')`),
    read('runs a program', `COPY (SELECT 1) TO PROGRAM 'id'`),
    read(
      "ends others' connections",
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'waxell_audit'`,
    ),
    read("stops everybody's audit log", 'SELECT pg_advisory_lock(7283002)'),
    read(
      'writes without a transaction',
      `INSERT INTO projects (id, name, created_by) VALUES (gen_random_uuid(), 'x', 'x')`,
    ),
    write("forges the other's event", 'INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)', [
      other,
      event,
    ]),
    write('makes the other work', 'INSERT INTO work.runs (tenant, run_id) VALUES ($1, gen_random_uuid())', [
      other,
    ]),
    write('rewrites the audit log', `UPDATE audit.events SET action = 'nothing.happened'`),
    write('empties the audit log', 'DELETE FROM audit.events'),
    write('rewinds the head of the log', 'UPDATE audit.heads SET seq = 0'),
    write("deletes the other's agents", `DELETE FROM "${other}".agents`),
    write('changes what was published', `UPDATE agent_versions SET definition = '{}'`),
    write('locks the other out', `LOCK TABLE "${other}".agents`),
    change('becomes the other in a transaction', `SET LOCAL ROLE "${other}"`, true),
    change('ends its transaction inside a statement', `COMMIT; SET ROLE "${other}"`, true),
    write('makes a function', `CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'`),
    write('makes a table', 'CREATE TABLE t (x int)'),
    write('makes a temporary table', 'CREATE TEMP TABLE t (x int)'),
    write('makes a role', 'CREATE ROLE intruder'),
    write('changes its own table', 'ALTER TABLE agents DISABLE TRIGGER ALL'),
  ];
}

/** Every attempt through the application's own driver, as the login `waxell_app` under the organisation's role. */
export async function hostileSql(
  tell: Narrator,
  database: EmbeddedDatabase,
  own: string,
  other: string,
): Promise<void> {
  const rows = await database.asSuperuser((client) => client.query(`SELECT count(*) FROM "${other}".agents`));
  tell.say(`(the other organisation has ${count(rows)} agents to find)`);
  const event = Buffer.from(JSON.stringify({ tenant: other, action: 'agent.deleted' }));
  await database.asTenant(own, async (client) => {
    tell.check('the connection works: it reads its own agents', (await whoReads(client)) === own);
  });
  for (const attempt of attempts(own, other, event)) {
    const { refusal, unchanged } = await database.asTenant(own, async (client) => ({
      refusal: await refused(client, attempt),
      unchanged: (await whoReads(client)) === own,
    }));
    const byDriver = refusal?.name === 'StatementRefused';
    const answer = byDriver ? 'refused by the driver' : quoted(refusal);
    tell.check(`${attempt.what}: ${answer}`, refusal !== undefined && unchanged, attempt.sql);
    if (!byDriver || attempt.switchesRole) continue;
    const below = await database.asLogin('app', (client) => refused(client, { ...attempt, role: own }));
    tell.check(`  and below it by the database: ${quoted(below)}`, below !== undefined, attempt.sql);
  }
  const logins = [
    ['app', `SELECT * FROM "${other}".agents`],
    ['control', `SELECT * FROM "${other}".users`],
    ['audit', `SELECT * FROM "${other}".agents`],
    ['queue', `SELECT * FROM "${other}".runs`],
  ] as const;
  for (const [login, sql] of logins) {
    const refusal = await database.asLogin(login, (client) => refused(client, { what: '', sql }));
    tell.check(`the login waxell_${login} itself sees no organisation's rows`, refusal !== undefined, sql);
  }
}

/** Why it was refused; undefined when it was executed. */
async function refused(
  client: pg.Client,
  { sql, values, writing, role }: Attempt & { readonly role?: string },
): Promise<Error | undefined> {
  if (writing || role !== undefined) await client.query('START TRANSACTION');
  if (role !== undefined) await client.query(`SET LOCAL ROLE "${role}"`);
  try {
    await client.query(sql, values === undefined ? [] : [...values]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  } finally {
    if (writing || role !== undefined) await client.query('ROLLBACK');
  }
}

/** The role under which the next statement on this connection reads; nobody where it cannot. */
async function whoReads(client: pg.Client): Promise<unknown> {
  const found = await client
    .query('SELECT current_user AS role, count(*) FROM agents')
    .catch(() => undefined);
  return found?.rows[0]?.['role'];
}

function quoted(refusal: Error | undefined): string {
  return refusal?.message.replaceAll('"', '') ?? 'it was executed';
}

function count(result: pg.QueryResult): string {
  return String((result.rows[0] as { count?: unknown } | undefined)?.count);
}

/** A well-formed event in the other's name, put into the own outbox: it must not get into the other's log. */
export async function forgeEvent(database: EmbeddedDatabase, own: string, other: string): Promise<void> {
  const forged = {
    v: 1,
    id: '00000000-0000-7000-8000-000000000000',
    at: '2026-01-01T00:00:00.000000Z',
    tenant: other,
    region: 'us-east-1',
    action: 'agent.deleted',
    actor: { type: 'user', id: 'forged' },
    outcome: 'success',
  };
  await database.asTenant(own, async (client) => {
    await client.query('START TRANSACTION');
    await client.query('INSERT INTO audit.outbox (event) VALUES ($1)', [Buffer.from(JSON.stringify(forged))]);
    await client.query('COMMIT');
  });
}
