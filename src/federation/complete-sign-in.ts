import { Injectable, type OnModuleInit } from '@nestjs/common';
import { hash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { Users, type UserEntity } from '../auth/index.js';
import { FieldEncryption, Sealed, sealedColumn } from '../encryption/index.js';
import { AdmitPerson, AfterSecondFactor, type Admitted } from '../mfa/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { CONNECTION_TYPES, type ConnectionEntity } from './connection.entity.js';
import { FederatedIdentityEntity, subjectKey } from './federated-identity.entity.js';
import { SsoFailed } from './federation.errors.js';
import { JudgePerson, type Judgement, type Verdict } from './judge-person.js';
import type { LogoutHint, ProvenPerson } from './proven-person.js';
import { Replays } from './replays.js';
import { countsAsSecondFactor } from './said-second-factor.js';

sealedColumn({ table: 'federated_sessions', column: 'hint', key: [['id', 'uuid']] });

type Welcome = Exclude<Verdict, { kind: 'refused' }>;

/** What is noted with a session; kept, sealed, where a second factor comes between. */
interface SessionNote {
  readonly identityId: string;
  readonly connectionId: string;
  readonly sid?: string;
  readonly hint?: LogoutHint;
}

/** Opens a session for somebody whom a provider has proven: account, link, session and event commit together. */
@Injectable()
export class CompleteSignIn implements OnModuleInit {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly judge: JudgePerson,
    private readonly users: Users,
    private readonly admit: AdmitPerson,
    private readonly followers: AfterSecondFactor,
    private readonly replays: Replays,
    private readonly encryption: FieldEncryption,
  ) {}

  onModuleInit(): void {
    for (const method of CONNECTION_TYPES)
      this.followers.follow(method, (session, note) => this.#noteSession(session, note as SessionNote));
  }

  /**
   * @param cookies of the browser, which may be one in which a second factor was proved
   * @throws {SsoFailed}
   */
  async execute(
    tenant: RequestTenant,
    connection: ConnectionEntity,
    person: ProvenPerson,
    cookies: string | undefined,
  ): Promise<Admitted> {
    const sign = (): Promise<Admitted> =>
      this.work.run(() => this.#signIn(tenant, connection, person, cookies));
    // Somebody's first two sign-ins at once both find no account: the second finds the first one's.
    return sign().catch((error: unknown) => {
      if (!isTaken(error)) throw error;
      return sign();
    });
  }

  async #signIn(
    tenant: RequestTenant,
    connection: ConnectionEntity,
    person: ProvenPerson,
    cookies: string | undefined,
  ): Promise<Admitted> {
    const { once, sid, hint, until } = person;
    if (once && !(await this.replays.first(connection.id, 'assertion', once.id, once.until)))
      throw new SsoFailed('SAML_REPLAYED');
    const judgement = await this.judge.execute(connection, person);
    const { verdict } = judgement;
    if (verdict.kind === 'refused') {
      const { email } = judgement.mapped;
      if (email !== undefined) auditDetails({ personal: { email } });
      throw new SsoFailed(verdict.why);
    }
    const before = verdict.kind === 'added' ? undefined : verdict.user.role;
    const user = await this.#account(connection, judgement, verdict);
    const identityId =
      verdict.kind === 'known' ? verdict.identityId : await this.#link(connection, person, user);
    const note: SessionNote = {
      identityId,
      connectionId: connection.id,
      ...(sid !== undefined && { sid }),
      ...(hint && { hint }),
    };
    const proved = countsAsSecondFactor(connection, person.secondFactor);
    const admitted = await this.admit.execute(tenant, user, {
      method: connection.type,
      cookies,
      until,
      note,
      foundBy: marksOf(connection, identityId, sid),
      secondFactorAt: proved ? (person.authenticatedAt ?? new Date()) : undefined,
    });
    if (admitted.kind === 'signed_in')
      await this.#noteSession({ id: admitted.sessionId, userId: user.id }, note);
    auditDetails({
      subject: user.id,
      changes: {
        user: user.id,
        method: connection.type,
        connection: connection.id,
        account: verdict.kind,
        role: user.role,
        ...(before !== undefined && before !== user.role && { roleBefore: before }),
        ...(proved && { secondFactor: 'provider' }),
      },
    });
    return admitted;
  }

  async #account({ roles }: ConnectionEntity, { mapped }: Judgement, verdict: Welcome): Promise<UserEntity> {
    if (verdict.kind === 'added') {
      const { email } = verdict;
      const displayName = mapped.name;
      return this.users.provision({
        email,
        role: mapped.role,
        ...(displayName !== undefined && { displayName }),
      });
    }
    const { user } = verdict;
    if (!roles.everySignIn || user.role === mapped.role) return user;
    return this.users.assignRole(user, mapped.role);
  }

  async #link(connection: ConnectionEntity, person: ProvenPerson, user: UserEntity): Promise<string> {
    const identities = this.database.repository(FederatedIdentityEntity);
    const identity = identities.create({
      id: uuidv7(),
      connectionId: connection.id,
      userId: user.id,
      subject: Sealed.of(subjectKey(connection.id, person.issuer, person.subject), user.id),
    });
    await identities.insert(identity);
    return identity.id;
  }

  async #noteSession(
    { id, userId }: { id: string; userId: string },
    { identityId, connectionId, sid, hint }: SessionNote,
  ): Promise<void> {
    const place = { table: 'federated_sessions', column: 'hint', row: id };
    const sealed = hint && (await this.encryption.sealJson(currentTenant(), place, hint, userId));
    // Locked, so that a connection that is switched off at this moment ends this session as well.
    const noted = await this.database.query({
      text: `INSERT INTO federated_sessions (id, identity_id, connection_id, sid_hash, hint)
        SELECT $1, i.id, c.id, $4, $5 FROM federated_identities i JOIN sso_connections c ON c.id = i.connection_id
        WHERE i.id = $2 AND c.id = $3 AND c.state = 'active' FOR SHARE OF c RETURNING id`,
      values: [id, identityId, connectionId, sid === undefined ? null : sidHash(sid), sealed ?? null],
    });
    // While a second factor was proved the connection may have been switched off.
    if (noted.length === 0) throw new SsoFailed('SSO_STATE_UNKNOWN');
  }
}

/** A provider's name of its session, by which it ends it. */
export function sidHash(sid: string): Buffer {
  return hash('sha256', sid, 'buffer');
}

/** By which a sign-in is found that waits for a second factor. */
export function identityMark(identityId: string): string {
  return `identity:${identityId}`;
}

/** Of a session at the provider, of whomever or of one person alone. */
export function sidMark(connectionId: string, sid: string, identityId = ''): string {
  return `sid:${connectionId}:${sidHash(sid).toString('base64url')}:${identityId}`;
}

function marksOf({ id }: ConnectionEntity, identityId: string, sid: string | undefined): string[] {
  if (sid === undefined) return [identityMark(identityId)];
  return [identityMark(identityId), sidMark(id, sid), sidMark(id, sid, identityId)];
}

function isTaken(error: unknown): boolean {
  const { code, driverError } = error as { code?: unknown; driverError?: { code?: unknown } };
  return code === 'EMAIL_TAKEN' || code === '23505' || driverError?.code === '23505';
}
