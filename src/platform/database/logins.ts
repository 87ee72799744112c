import { createHmac } from 'node:crypto';
import type { ClientConfig } from 'pg';
import { databaseTls } from './database-tls.js';

/**
 * The database logins of the running system; the owner (`DATABASE_URL`) is for migrations and provisioning alone.
 * None inherits anything or owns a tenant's table.
 *
 * - app: tenant statements; a member of every tenant role, by SET ROLE only
 * - control: the registry, run leases and signing keys
 * - audit: the audit log
 * - queue: the schema of the embedded queue
 */
export const LOGINS = ['app', 'control', 'audit', 'queue'] as const;
export type Login = (typeof LOGINS)[number];

export function loginRole(login: Login): string {
  return `waxell_${login}`;
}

/** Each login's password follows from one secret, so that an operator keeps one and every process agrees. */
export function loginPassword(secret: string, login: Login): string {
  return createHmac('sha256', secret).update(`waxell database login ${login}`).digest('base64url');
}

/** How a login reaches the database that the owner's URL names. */
export function connectionOf(ownerUrl: string, secret: string, login: Login): ClientConfig {
  const url = new URL(ownerUrl);
  return {
    host: url.hostname,
    port: url.port === '' ? 5432 : Number(url.port),
    database: decodeURIComponent(url.pathname.slice(1)),
    user: loginRole(login),
    password: loginPassword(secret, login),
    ssl: databaseTls(url, loginRole(login)),
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    application_name: `waxell-${login}`,
  };
}
