import { Injectable } from '@nestjs/common';
import { hash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { Sessions, Users, type SignedIn, type UserEntity } from '../auth/index.js';
import { FieldEncryption, Sealed, sealedColumn } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { ConnectionEntity } from './connection.entity.js';
import { FederatedIdentityEntity, subjectKey } from './federated-identity.entity.js';
import { SsoFailed } from './federation.errors.js';
import { JudgePerson, type Judgement, type Verdict } from './judge-person.js';
import type { ProvenPerson } from './proven-person.js';
import { Replays } from './replays.js';

sealedColumn({ table: 'federated_sessions', column: 'hint', key: [['id', 'uuid']] });

type Welcome = Exclude<Verdict, { kind: 'refused' }>;

/** Opens a session for somebody whom a provider has proven: account, link, session and event commit together. */
@Injectable()
export class CompleteSignIn {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly judge: JudgePerson,
    private readonly users: Users,
    private readonly sessions: Sessions,
    private readonly replays: Replays,
    private readonly encryption: FieldEncryption,
  ) {}

  /** @throws {SsoFailed} */
  async execute(
    tenant: RequestTenant,
    connection: ConnectionEntity,
    person: ProvenPerson,
  ): Promise<SignedIn> {
    const sign = (): Promise<SignedIn> => this.work.run(() => this.#signIn(tenant, connection, person));
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
  ): Promise<SignedIn> {
    const { once } = person;
    if (once && !(await this.replays.first(connection.id, 'assertion', once.id, once.until)))
      throw new SsoFailed('SAML_REPLAYED');
    const judgement = await this.judge.execute(connection, person);
    const { verdict } = judgement;
    if (verdict.kind === 'refused') {
      const { email } = judgement.mapped;
      if (email !== undefined) auditDetails({ personal: { email } });
      throw new SsoFailed(verdict.why);
    }
    const user = await this.#account(connection, judgement, verdict);
    const identityId =
      verdict.kind === 'known' ? verdict.identityId : await this.#link(connection, person, user);
    const { sessionId, ...signedIn } = await this.sessions.openIn(
      tenant,
      user,
      connection.type,
      person.until ? { until: person.until } : {},
    );
    await this.#noteSession({ id: sessionId, userId: user.id, identityId }, connection, person);
    auditDetails({
      subject: user.id,
      changes: {
        user: user.id,
        method: connection.type,
        connection: connection.id,
        account: verdict.kind,
        role: user.role,
      },
    });
    return signedIn;
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
    if (!roles.everySignIn || user.role === mapped.role || mapped.role === 'Owner') return user;
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
    { id, userId, identityId }: { id: string; userId: string; identityId: string },
    connection: ConnectionEntity,
    { sid, hint }: ProvenPerson,
  ): Promise<void> {
    const place = { table: 'federated_sessions', column: 'hint', row: id };
    const sealed = hint && (await this.encryption.sealJson(currentTenant(), place, hint, userId));
    await this.database.query({
      text: `INSERT INTO federated_sessions (id, identity_id, connection_id, sid_hash, hint) VALUES ($1, $2, $3, $4, $5)`,
      values: [id, identityId, connection.id, sid === undefined ? null : sidHash(sid), sealed ?? null],
    });
  }
}

/** A provider's name of its session, by which it ends it. */
export function sidHash(sid: string): Buffer {
  return hash('sha256', sid, 'buffer');
}

function isTaken(error: unknown): boolean {
  const { code, driverError } = error as { code?: unknown; driverError?: { code?: unknown } };
  return code === 'EMAIL_TAKEN' || code === '23505' || driverError?.code === '23505';
}
