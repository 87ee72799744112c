import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { loginPassword, loginRole, LOGINS } from './logins.js';
import { hasPassword, scramVerifier } from './scram.js';

/** PostgreSQL has no code of its own for "tuple concurrently updated". */
const INTERNAL_ERROR = 'XX000';
const TRIES = 10;
const PAUSE_MS = 100;

/** Makes the roles that every database of a server shares, and sets the passwords that follow from the secret. */
export async function prepareRoles(client: pg.ClientBase, secret: string): Promise<void> {
  const logins = LOGINS.map((login) => ({ role: loginRole(login), password: loginPassword(secret, login) }));
  const { rows } = await client.query<{ role: string; verifier: string | null }>(
    'SELECT rolname AS role, rolpassword AS verifier FROM pg_authid WHERE rolname = ANY ($1)',
    [['waxell_tenant', ...logins.map(({ role }) => role)]],
  );
  const known = new Map(rows.map(({ role, verifier }) => [role, verifier]));
  if (!known.has('waxell_tenant')) await createRole(client, 'waxell_tenant', 'NOLOGIN');
  for (const { role, password } of logins) {
    if (!known.has(role)) await createRole(client, role, 'LOGIN NOINHERIT');
    if (hasPassword(known.get(role) ?? '', password)) continue;
    await setPassword(client, role, password);
  }
}

/** Another database's migrator may be setting it at the same moment, which the server answers with an error. */
async function setPassword(client: pg.ClientBase, role: string, password: string): Promise<void> {
  const text = `ALTER ROLE ${client.escapeIdentifier(role)} PASSWORD ${client.escapeLiteral(scramVerifier(password))}`;
  for (let tried = 1; ; tried += 1) {
    try {
      await client.query(text);
      return;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code !== INTERNAL_ERROR || !message.includes('concurrently') || tried === TRIES) throw error;
      await sleep(Math.random() * PAUSE_MS);
    }
  }
}

/** Roles belong to the whole server, which another database's migrator may be creating at this moment. */
async function createRole(client: pg.ClientBase, role: string, attributes: string): Promise<void> {
  try {
    await client.query(`CREATE ROLE ${client.escapeIdentifier(role)} ${attributes}`);
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code !== '42710' && code !== '23505') throw error;
  }
}
