import { hash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { parseCookie, stringifySetCookie } from 'cookie';
import { v7 as uuidv7 } from 'uuid';
import { deviceOf } from '../auth/index.js';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { currentRequest } from '../platform/http/request-context.js';
import type { TrustedDeviceDto } from './mfa.dto.js';

interface Client {
  readonly address: string;
  readonly userAgent: string;
}

interface Row extends Record<string, unknown> {
  id: string;
  client: Buffer;
  proved_at: Date;
  last_used_at: Date;
  expires_at: Date;
}

sealedColumn({ table: 'trusted_devices', column: 'client', key: [['id', 'uuid']] });

const DAY_SECONDS = 86_400;
const MOST = 20;

/** Browsers in which a second factor was proved, and that are believed for some days; of the tenant in scope. */
@Injectable()
export class TrustedDevices {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
  ) {}

  /**
   * When a second factor was proved in the browser that shows these cookies; undefined: it is not believed. Bound to the
   * person and to what the browser calls itself: the network may be another one.
   * @param days for which the organisation believes a browser now
   */
  async provedAt(userId: string, cookies: string | undefined, days: number): Promise<Date | undefined> {
    const secret = cookies === undefined ? undefined : parseCookie(cookies)[cookieName(userId)];
    if (secret === undefined || days === 0) return undefined;
    const [row] = await this.database.query<{ proved_at: Date }>({
      text: `SELECT proved_at FROM trusted_devices WHERE secret_hash = $1 AND user_id = $2 AND fingerprint = $3
        AND expires_at > now() AND proved_at > now() - make_interval(days => $4)`,
      values: [secretHash(secret), userId, deviceOf(), days],
    });
    return row?.proved_at;
  }

  /** Notes that a sign-in came from it, in the running unit of work. */
  async used(userId: string, cookies: string | undefined): Promise<void> {
    const secret = cookies === undefined ? undefined : parseCookie(cookies)[cookieName(userId)];
    if (secret === undefined) return;
    await this.database.query({
      text: 'UPDATE trusted_devices SET last_used_at = now() WHERE secret_hash = $1 AND user_id = $2',
      values: [secretHash(secret), userId],
    });
  }

  /** Believes this browser from now on, in the running unit of work. @returns its cookie */
  async trust(userId: string, days: number): Promise<{ readonly id: string; readonly cookie: string }> {
    const request = currentRequest();
    if (!request) throw new Error('A browser comes with a request.');
    const id = uuidv7();
    const secret = randomBytes(32).toString('base64url');
    const client: Client = { address: request.ip, userAgent: request.userAgent };
    const sealed = await this.encryption.sealJson(currentTenant(), place(id), client, userId);
    await this.database.query({
      text: `INSERT INTO trusted_devices (id, user_id, secret_hash, fingerprint, client, proved_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, now(), now() + make_interval(days => $6))`,
      values: [id, userId, secretHash(secret), deviceOf(), sealed, days],
    });
    await this.database.query({
      text: `DELETE FROM trusted_devices WHERE user_id = $1 AND (expires_at <= now() OR id NOT IN (
        SELECT id FROM trusted_devices WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT ${MOST}))`,
      values: [userId],
    });
    return { id, cookie: deviceCookie(cookieName(userId), secret, days * DAY_SECONDS) };
  }

  async list(userId: string): Promise<TrustedDeviceDto[]> {
    const rows = await this.database.query<Row>({
      text: `SELECT id, client, proved_at, last_used_at, expires_at FROM trusted_devices
        WHERE user_id = $1 AND expires_at > now() ORDER BY created_at DESC, id DESC LIMIT ${MOST}`,
      values: [userId],
    });
    return Promise.all(
      rows.map(async (row) => {
        const client = await this.encryption.openJson(currentTenant(), place(row.id), row.client);
        return {
          id: row.id,
          ...(client as Client),
          provedAt: row.proved_at.toISOString(),
          lastUsedAt: row.last_used_at.toISOString(),
          expiresAt: row.expires_at.toISOString(),
        };
      }),
    );
  }

  /** Whether there was such a one, of this person. */
  async revoke(userId: string, id: string): Promise<boolean> {
    const rows = await this.database.query({
      text: 'DELETE FROM trusted_devices WHERE id = $1 AND user_id = $2 RETURNING id',
      values: [id, userId],
    });
    return rows.length > 0;
  }

  async revokeAll(userId: string): Promise<void> {
    await this.database.query({ text: 'DELETE FROM trusted_devices WHERE user_id = $1', values: [userId] });
  }
}

/** One for each person: people who share a browser do not get into each other's way. */
function cookieName(userId: string): string {
  const whose = hash('sha256', JSON.stringify([currentTenant().id, userId]), 'hex').slice(0, 16);
  return `__Host-waxell_device_${whose}`;
}

function deviceCookie(name: string, value: string, maxAge: number): string {
  return stringifySetCookie({
    name,
    value,
    path: '/',
    secure: true,
    httpOnly: true,
    // Providers send people back from a site of their own.
    sameSite: 'lax',
    maxAge,
  });
}

function secretHash(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

function place(id: string) {
  return { table: 'trusted_devices', column: 'client', row: id };
}
