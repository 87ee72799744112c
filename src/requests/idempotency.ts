import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { PUBLIC } from '../platform/http/endpoint.js';
import { AppError } from '../platform/http/errors.js';
import type { RequestContext } from '../platform/http/request-context.js';

/** A stored answer to a POST. */
export interface StoredResponse {
  readonly status: number;
  readonly body: unknown;
}

export class IdempotencyKeyReused extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'IDEMPOTENCY_KEY_REUSED';
  constructor() {
    super('This Idempotency-Key was used for a different request. Use a new key for a new request.');
  }
}

/** Two requests with one key were at work at the same time; the first has won. */
export class IdempotencyKeyInUse extends AppError {
  readonly kind = 'conflict';
  readonly code = 'IDEMPOTENCY_KEY_IN_USE';
  constructor() {
    super(
      'A request with this Idempotency-Key was being served at the same time. Repeat it to get its response.',
    );
  }
}

sealedColumn({ table: 'idempotency_keys', column: 'response', key: [['key_hash', 'bytea']] });

const KEPT = "interval '24 hours'";
const UNIQUE_VIOLATION = '23505';

/**
 * `Idempotency-Key` on POST: the response is stored in the transaction of the change itself, so a repeated request
 * finds either both or neither. Responses may hold secrets that are shown once: they are stored encrypted, for a day; one
 * that concerns a person under that person's key.
 */
@Injectable()
export class Idempotency {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
  ) {}

  /** The stored response, where this very request was served before. */
  async replay(request: RequestContext): Promise<StoredResponse | undefined> {
    const key = keyHash(request);
    if (!key) return undefined;
    const [row] = await this.database.query<{ request_hash: Buffer; response: Buffer }>({
      text: `SELECT request_hash, response FROM idempotency_keys WHERE key_hash = $1 AND created_at > now() - ${KEPT}`,
      values: [key],
    });
    if (!row) return undefined;
    if (!row.request_hash.equals(requestHash(request))) throw new IdempotencyKeyReused();
    return (await this.encryption.openJson(currentTenant(), place(key), row.response)) as StoredResponse;
  }

  /** Stores the response in the running transaction. */
  async remember(request: RequestContext, body: unknown): Promise<void> {
    const key = keyHash(request);
    if (!key) return;
    const stored: StoredResponse = { status: request.status ?? 201, body };
    const { subject } = request.audit;
    const response = await this.encryption.sealJson(
      currentTenant(),
      place(key),
      stored,
      subject ?? undefined,
    );
    await this.database.query({
      text: `DELETE FROM idempotency_keys WHERE created_at <= now() - ${KEPT}`,
      values: [],
    });
    try {
      await this.database.query({
        text: 'INSERT INTO idempotency_keys (key_hash, request_hash, response) VALUES ($1, $2, $3)',
        values: [key, requestHash(request), response],
      });
    } catch (error) {
      if ((error as { code?: string }).code === UNIQUE_VIOLATION) throw new IdempotencyKeyInUse();
      throw error;
    }
  }
}

/** A key is the caller's own: two callers may choose the same. */
function keyHash(request: RequestContext): Buffer | undefined {
  if (request.method !== 'POST' || request.idempotencyKey === undefined) return undefined;
  // SCIM has no such thing (RFC 7644): its clients look up what they have created, and its answers are of another form.
  if (request.actor.type === 'directory') return undefined;
  // A security event has a name of its own, by which it counts once.
  if (request.actor.type === 'transmitter') return undefined;
  // What a public route answers may be a credential, and is never answered again.
  if (request.actor.type === 'anonymous' || request.endpoint?.permission === PUBLIC) return undefined;
  return hash('sha256', JSON.stringify([request.actor.id, request.path, request.idempotencyKey]), 'buffer');
}

function requestHash(request: RequestContext): Buffer {
  return request.bodyHash ?? hash('sha256', '', 'buffer');
}

function place(key: Buffer) {
  return { table: 'idempotency_keys', column: 'response', row: key.toString('hex') };
}
