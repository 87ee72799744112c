import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { currentTenant, rowsKeptFor, TenantDatabase } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import type { ConnectionEntity } from './connection.entity.js';
import { REFUSALS } from './federation.errors.js';
import { JudgePerson, type Judgement } from './judge-person.js';
import type { ProvenPerson } from './proven-person.js';
import type { TestReportDto } from './tests.dto.js';
import { failureInWords } from './refusal-in-words.js';

sealedColumn({ table: 'sso_reports', column: 'report', key: [['id', 'uuid']] });

const KEPT = 10;
const KEPT_FOR = "interval '1 day'";
rowsKeptFor({ table: 'sso_reports', days: 1 });

type Report = Omit<TestReportDto, 'id' | 'at'>;

/** What tests of a connection have received, and what it would have come to. Full of personal data: sealed, and gone after a day, or when anybody is erased. */
@Injectable()
export class TestReports {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly encryption: FieldEncryption,
    private readonly judge: JudgePerson,
  ) {}

  /** A sign-in that came through, and opens nothing. */
  async received(connection: ConnectionEntity, person: ProvenPerson): Promise<TestReportDto> {
    return this.#keep(
      connection.id,
      reportOf(connection, person, await this.judge.execute(connection, person)),
    );
  }

  /** One that did not. Rethrows what is neither the connection's fault nor the provider's. */
  async failed(connectionId: string, error: unknown): Promise<TestReportDto> {
    const failure = failureInWords(error);
    if (!failure) throw error;
    return this.#keep(connectionId, { works: false, ...failure, claims: {} });
  }

  async list(connectionId: string): Promise<TestReportDto[]> {
    const rows = await this.database.query<{ id: string; report: Buffer; created_at: Date }>({
      text: `SELECT id, report, created_at FROM sso_reports
        WHERE connection_id = $1 AND created_at > now() - ${KEPT_FOR} ORDER BY created_at DESC, id DESC LIMIT ${KEPT}`,
      values: [connectionId],
    });
    return Promise.all(
      rows.map(async ({ id, report, created_at }) => ({
        ...((await this.encryption.openJson(currentTenant(), place(id), report)) as Report),
        id,
        at: created_at.toISOString(),
      })),
    );
  }

  async #keep(connectionId: string, report: Report): Promise<TestReportDto> {
    const id = uuidv7();
    const sealed = await this.encryption.sealJson(currentTenant(), place(id), report);
    await this.work.bookkeeping('ordering the test was the event', async () => {
      await this.database.query({
        text: 'INSERT INTO sso_reports (id, connection_id, report) VALUES ($1, $2, $3)',
        values: [id, connectionId, sealed],
      });
      await this.database.query({
        text: `DELETE FROM sso_reports WHERE created_at <= now() - ${KEPT_FOR} OR (connection_id = $1 AND id NOT IN
          (SELECT id FROM sso_reports WHERE connection_id = $1 ORDER BY created_at DESC, id DESC LIMIT ${KEPT}))`,
        values: [connectionId],
      });
    });
    return { ...report, id, at: new Date().toISOString() };
  }
}

function reportOf(
  connection: ConnectionEntity,
  person: ProvenPerson,
  { mapped, verdict }: Judgement,
): Report {
  const { email, name, groups, role, rule, capped } = mapped;
  const { roles, highestRole } = connection;
  const byRule = rule === undefined ? undefined : roles.rules[rule];
  return {
    works: verdict.kind !== 'refused',
    ...(verdict.kind === 'refused'
      ? { code: verdict.why, why: REFUSALS[verdict.why] }
      : { account: verdict.kind }),
    subject: person.subject,
    claims: Object.fromEntries(Object.entries(person.claims).map(([claim, values]) => [claim, [...values]])),
    mapped: {
      ...(email !== undefined && { email }),
      ...(name !== undefined && { name }),
      groups: [...groups],
      role,
      roleBecause: byRule
        ? `${byRule.claim} has the value ${byRule.value}`
        : 'no rule fits: it is the default role',
      ...(capped && {
        roleCapped: `${capped} would be above ${highestRole}, which whoever set the connection held`,
      }),
    },
  };
}

function place(id: string) {
  return { table: 'sso_reports', column: 'report', row: id };
}
