import { Injectable } from '@nestjs/common';
import {
  accessChanged,
  compilePolicies,
  EVERYBODY,
  liftedFor,
  NO_POLICIES,
  OrganisationPolicies,
  type PolicyVersion,
} from '../access/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, type PageQuery } from '../platform/http/pagination.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { RequireHeld } from '../roles/index.js';
import { checkPolicies, permittedBy } from './check-policies.js';
import { KeepOwners } from './keep-owners.js';
import type {
  InForceDto,
  PolicyVersionDto,
  PolicyVersionPageDto,
  RollBackDto,
  WritePoliciesDto,
} from './policies.dto.js';
import { ForbidLiftedFromSelf, NeverInForce, PoliciesChanged, PoliciesInForce } from './policies.errors.js';

interface Row {
  version: number;
  text: string;
  note: string;
  created_by: string;
  created_at: Date;
}

const COLUMNS = 'version, text, note, created_by, created_at';
const VERSION_KEY = /^[1-9]\d{0,8}$/;
const UNIQUE_VIOLATION = '23505';

/** Policies that an organisation writes itself, in versions of which one is in force, or none. */
@Injectable()
export class Policies {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly held: RequireHeld,
    private readonly owners: KeepOwners,
    private readonly compiled: OrganisationPolicies,
  ) {}

  async write(actor: Actor, { text, note = '' }: WritePoliciesDto): Promise<PolicyVersionDto> {
    const errors = checkPolicies(text);
    if (errors.length > 0) throw new InvalidRequest(errors);
    return this.work.run(async () => {
      await this.held.everywhere(actor, permittedBy(text));
      const [row] = await unlessOther(
        this.database.query<Row & Record<string, unknown>>({
          text: `INSERT INTO access_policies (version, text, note, created_by)
            SELECT COALESCE(max(version), 0) + 1, $1, $2, $3 FROM access_policies RETURNING ${COLUMNS}`,
          values: [text, note, actor.id],
        }),
      );
      if (!row) throw new Error('What is inserted is returned.');
      auditDetails({ resource: resource(row.version), changes: { version: row.version } });
      return versionDto(row, undefined);
    });
  }

  async list({ cursor, limit }: PageQuery): Promise<PolicyVersionPageDto> {
    const before = cursorKey(cursor, VERSION_KEY) ?? null;
    const rows = await this.database.query<Row & Record<string, unknown>>({
      text: `SELECT ${COLUMNS} FROM access_policies
        WHERE $1::integer IS NULL OR version < $1 ORDER BY version DESC LIMIT $2`,
      values: [before, limit + 1],
    });
    const inForce = await this.#inForce();
    return {
      ...pageOf(
        rows,
        limit,
        ({ version }) => String(version),
        (row) => versionDto(row, inForce),
      ),
      ...(inForce !== undefined && { inForce }),
    };
  }

  async get(version: number): Promise<PolicyVersionDto> {
    auditDetails({ resource: resource(version) });
    return versionDto(await this.#find(version), await this.#inForce());
  }

  /** As the authorizer takes it, whether in force or not. */
  async version(version: number): Promise<PolicyVersion> {
    await this.#find(version);
    return this.compiled.of(currentTenant(), version);
  }

  /** Those in force, as the authorizer takes them. */
  async inForce(): Promise<PolicyVersion> {
    return this.compiled.inForce();
  }

  /** Every process decides by it within a second. */
  activate(actor: Actor, version: number): Promise<InForceDto> {
    return this.work.run(async () => {
      const { text } = await this.#find(version);
      if ((await this.#inForce()) === version) throw new PoliciesInForce();
      await this.#requireActivatable(actor, version, text);
      await this.#putInForce(actor, version);
      return { version };
    });
  }

  /** Goes back to policies that were in force before, or to none. */
  rollBack(actor: Actor, { version }: RollBackDto): Promise<InForceDto> {
    return this.work.run(async () => {
      const inForce = await this.#inForce();
      if ((inForce ?? null) === version) throw new PoliciesInForce();
      if (version === null) {
        await this.#requireKept(actor, NO_POLICIES);
        await this.#putInForce(actor, null);
        return {};
      }
      const { text } = await this.#find(version);
      const before = await this.database.query({
        text: 'SELECT FROM access_policy_activations WHERE version = $1 LIMIT 1',
        values: [version],
      });
      if (before.length === 0) throw new NeverInForce();
      await this.#requireActivatable(actor, version, text);
      await this.#putInForce(actor, version);
      return { version };
    });
  }

  /** Whoever puts a permit in force gives what it permits; and somebody has to be left who can take it back. */
  async #requireActivatable(actor: Actor, version: number, text: string): Promise<void> {
    await this.held.everywhere(actor, permittedBy(text));
    const key = `${currentTenant().id}@${version}`;
    const compiled = compilePolicies(text, key, version);
    await this.#requireKept(actor, compiled);
    await this.owners.require(actor, compiled);
  }

  /** Nobody takes from themselves what keeps them from something, but Owners, whom nothing keeps from it for long. */
  async #requireKept(actor: Actor, next: PolicyVersion): Promise<void> {
    if (actor.roles.includes('Owner')) return;
    const lifted = liftedFor(actor, (await this.inForce()).heads, next.heads);
    if (lifted) throw new ForbidLiftedFromSelf(lifted.name);
  }

  async #putInForce(actor: Actor, version: number | null): Promise<void> {
    await unlessOther(
      this.database.query({
        text: `INSERT INTO access_policy_activations (number, version, set_by)
          SELECT COALESCE(max(number), 0) + 1, $1, $2 FROM access_policy_activations`,
        values: [version, actor.id],
      }),
    );
    await this.database.query(accessChanged(EVERYBODY));
    auditDetails({
      ...(version !== null && { resource: resource(version) }),
      changes: { inForce: version },
    });
  }

  async #inForce(): Promise<number | undefined> {
    const [row] = await this.database.query<{ version: number | null }>({
      text: 'SELECT version FROM access_policy_activations ORDER BY number DESC LIMIT 1',
      values: [],
    });
    return row?.version ?? undefined;
  }

  async #find(version: number): Promise<Row> {
    const [row] = await this.database.query<Row & Record<string, unknown>>({
      text: `SELECT ${COLUMNS} FROM access_policies WHERE version = $1`,
      values: [version],
    });
    if (!row) throw new ResourceNotFound('version of policies');
    return row;
  }
}

/** Numbers are given in their order: of two who write at the same moment one repeats it. */
async function unlessOther<T>(written: Promise<T>): Promise<T> {
  try {
    return await written;
  } catch (error) {
    if ((error as { code?: string }).code === UNIQUE_VIOLATION) throw new PoliciesChanged();
    throw error;
  }
}

function versionDto(row: Row, inForce: number | undefined): PolicyVersionDto {
  return {
    version: row.version,
    text: row.text,
    note: row.note,
    inForce: row.version === inForce,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
  };
}

function resource(version: number): { type: string; id: string } {
  return { type: 'access_policies', id: String(version) };
}
