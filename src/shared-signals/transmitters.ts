import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { refuseAbove, roleOf, secretHash } from '../auth/index.js';
import { AuthConfig } from '../platform/config/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { newTransmitterToken, visiblePrefix } from '../platform/http/credential.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { givenFields } from '../platform/http/fields.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { DiscoverTransmitter } from './discover-transmitter.js';
import { TooManyTransmitters } from './shared-signals.errors.js';
import { transmitterDto } from './transmitter-dto.js';
import { TRANSMITTER_COLUMNS, type StreamStatus, type TransmitterRow } from './transmitter-row.js';
import type {
  CreateTransmitterDto,
  RotateTransmitterTokenDto,
  TokenOfTransmitterDto,
  TransmitterDto,
  TransmitterListDto,
  UpdateTransmitterDto,
} from './transmitters.dto.js';

const MOST = 20;
const OVERLAP_SECONDS = 86_400;

/** The transmitters of an organisation, as its administrators set them. */
@Injectable()
export class Transmitters {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly discover: DiscoverTransmitter,
    private readonly config: AuthConfig,
  ) {}

  async create(actor: Actor, body: CreateTransmitterDto): Promise<TokenOfTransmitterDto> {
    const { name, issuer, audience, emailSubjects = false } = body;
    const jwksUri = await this.discover.jwksUri(issuer, body.jwksUri);
    return this.work.run(async () => {
      const [counted] = await this.database.query<{ count: number }>({
        text: 'SELECT count(*)::int AS count FROM signal_transmitters',
        values: [],
      });
      // One that is created beside this one is not counted: the limit is there for order, not for safety.
      if ((counted?.count ?? 0) >= MOST) throw new TooManyTransmitters(MOST);
      const id = uuidv7();
      const token = newTransmitterToken(currentTenant().id);
      auditDetails({ resource: resource(id), changes: { issuer, audience, jwksUri, emailSubjects } });
      const rows = await this.database.query<TransmitterRow>({
        text: `INSERT INTO signal_transmitters
            (id, name, state, issuer, audience, jwks_uri, email_subjects, highest_role, token_hash, token_prefix, created_by)
          VALUES ($1, $2, 'active', $3, $4, $5, $6, $7, $8, $9, $10) RETURNING ${TRANSMITTER_COLUMNS}`,
        values: [
          id,
          name,
          issuer,
          audience,
          jwksUri,
          emailSubjects,
          roleOf(actor),
          secretHash(token),
          visiblePrefix(token),
          actor.id,
        ],
      });
      return { ...transmitterDto(one(rows), this.config), token };
    });
  }

  async list(): Promise<TransmitterListDto> {
    const rows = await this.database.query<TransmitterRow>({
      text: `SELECT ${TRANSMITTER_COLUMNS} FROM signal_transmitters ORDER BY id LIMIT ${MOST * 2}`,
      values: [],
    });
    return { items: rows.map((row) => transmitterDto(row, this.config)) };
  }

  async get(id: string): Promise<TransmitterDto> {
    const row = await this.find(id);
    auditDetails({ resource: resource(id) });
    return transmitterDto(row, this.config);
  }

  /** @throws {ResourceNotFound} */
  async find(id: string): Promise<TransmitterRow> {
    return one(
      await this.database.query<TransmitterRow>({
        name: 'signal_transmitter',
        text: `SELECT ${TRANSMITTER_COLUMNS} FROM signal_transmitters WHERE id = $1`,
        values: [id],
      }),
    );
  }

  async update(
    actor: Actor,
    id: string,
    body: UpdateTransmitterDto,
    version: number | undefined,
  ): Promise<TransmitterDto> {
    const known = await this.find(id);
    const { name, audience, emailSubjects, state } = body;
    const jwksUri = body.jwksUri && (await this.discover.jwksUri(known.issuer, body.jwksUri));
    return this.work.run(async () => {
      const before = await this.#locked(id, version);
      // Whoever sets what a transmitter may say answers for what it says; a name says nothing of that.
      const sets = givenFields(body).some((field) => field !== 'name');
      auditDetails({
        resource: resource(id),
        changes: { fields: givenFields(body), ...(state && { state }), ...(jwksUri && { jwksUri }) },
      });
      const rows = await this.database.query<TransmitterRow>({
        text: `UPDATE signal_transmitters SET name = $2, audience = $3, jwks_uri = $4, email_subjects = $5, state = $6,
            highest_role = $7, version = version + 1, updated_at = now() WHERE id = $1 RETURNING ${TRANSMITTER_COLUMNS}`,
        values: [
          id,
          name ?? before.name,
          audience ?? before.audience,
          jwksUri ?? before.jwks_uri,
          emailSubjects ?? before.email_subjects,
          state ?? before.state,
          sets ? roleOf(actor) : before.highest_role,
        ],
      });
      await this.#announce(id);
      return transmitterDto(one(rows), this.config);
    });
  }

  /** Puts another token in the place of the one that there is, which goes on for a while. */
  rotateToken(
    actor: Actor,
    id: string,
    { overlapSeconds = OVERLAP_SECONDS }: RotateTransmitterTokenDto,
  ): Promise<TokenOfTransmitterDto> {
    return this.work.run(async () => {
      const { highest_role: highest } = await this.#locked(id, undefined);
      auditDetails({ resource: resource(id), changes: { overlapSeconds } });
      // Whoever has the token can deliver what was signed for the stream, as whoever has set it may.
      refuseAbove(actor, highest);
      const token = newTransmitterToken(currentTenant().id);
      const rows = await this.database.query<TransmitterRow>({
        text: `UPDATE signal_transmitters SET token_hash = $2, token_prefix = $3, version = version + 1, updated_at = now(),
            former_token_hash = CASE WHEN $4 > 0 THEN token_hash END,
            former_token_until = CASE WHEN $4 > 0 THEN now() + make_interval(secs => $4) END
          WHERE id = $1 RETURNING ${TRANSMITTER_COLUMNS}`,
        values: [id, secretHash(token), visiblePrefix(token), overlapSeconds],
      });
      await this.#announce(id);
      return { ...transmitterDto(one(rows), this.config), token };
    });
  }

  async delete(id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const { name, issuer } = await this.#locked(id, version);
      auditDetails({ resource: resource(id), changes: { name, issuer } });
      await this.database.query({ text: 'DELETE FROM signal_transmitters WHERE id = $1', values: [id] });
      await this.#announce(id);
    });
  }

  /** In the running unit of work, as what follows. */
  async noteVerified(id: string, state: string): Promise<void> {
    await this.database.query({
      text: 'UPDATE signal_transmitters SET verified_state = $2, verified_at = now() WHERE id = $1',
      values: [id, state],
    });
  }

  async noteStatus(id: string, status: StreamStatus): Promise<void> {
    await this.database.query({
      text: 'UPDATE signal_transmitters SET stream_status = $2, stream_status_at = now() WHERE id = $1',
      values: [id, status],
    });
  }

  async #locked(id: string, version: number | undefined): Promise<TransmitterRow> {
    const row = one(
      await this.database.query<TransmitterRow>({
        text: `SELECT ${TRANSMITTER_COLUMNS} FROM signal_transmitters WHERE id = $1 FOR UPDATE`,
        values: [id],
      }),
    );
    if (version !== undefined && version !== row.version) throw new VersionMismatch();
    return row;
  }

  async #announce(id: string): Promise<void> {
    await this.database.query(announce({ kind: 'transmitter', tenant: currentTenant().id, id }));
  }
}

function one([row]: readonly TransmitterRow[]): TransmitterRow {
  if (!row) throw new ResourceNotFound('transmitter');
  return row;
}

function resource(id: string): { type: string; id: string } {
  return { type: 'signal_transmitter', id };
}
