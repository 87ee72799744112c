import type { CompiledMigration } from './migration.js';
import { alterations, indexes, others, type Hazard, type Known } from './migration-hazards.js';
import { statementsIn } from './sql-statements.js';

/** Something about a migration that its reviewer and its operator should know. */
export interface Finding {
  readonly migration: string;
  /** Which of its statements; undefined where the migration as a whole is meant. */
  readonly statement?: number;
  /** `refused` must not be released like this; `contract` and `lock` are declared, or harmless enough to be only told. */
  readonly kind: 'refused' | 'contract' | 'lock';
  /** Such as DROP COLUMN. */
  readonly shape: string;
  readonly advice: string;
}

export interface ReviewOptions {
  /** Whether the tables are those that all tenants of a database share, and so are big. */
  readonly shared: boolean;
  /** The newest version that a release has brought to other people's databases. */
  readonly releasedThrough: number;
}

/**
 * Old and new programs run beside each other while a version is rolled out, and requests go on while a migration runs.
 * So a migration adds (_expands_); what takes something away (_contracts_) waits for a later release and says which
 * expansion, released before, it follows. Finds what does not keep to that, or holds heavy locks.
 */
export function reviewMigrations(
  migrations: readonly CompiledMigration[],
  { shared, releasedThrough }: ReviewOptions,
): Finding[] {
  const findings: Finding[] = [];
  const known = { notNullChecks: new Map<string, string>(), validated: new Set<string>() };
  for (const [at, migration] of migrations.entries()) {
    const problem = contractProblem(migration, migrations.slice(0, at), releasedThrough);
    if (problem !== undefined) {
      const advice = `${problem} Name a migration that was released before.`;
      findings.push({ migration: migration.name, kind: 'refused', shape: 'CONTRACT', advice });
    }
    const contracts = migration.contracts !== undefined && problem === undefined;
    const state: Known = { ...known, created: new Set() };
    const hazards: { readonly statement: number; readonly hazard: Hazard }[] = [];
    for (const [statement, sql] of migration.statements.entries()) {
      for (const hazard of statementsIn(sql).flatMap((one) => hazardsIn(one, state, shared))) {
        // Before the first migration there is nothing that could be taken away or locked.
        if (at === 0 && hazard.unless !== 'never') continue;
        hazards.push({ statement, hazard });
      }
    }
    for (const { statement, hazard } of hazards)
      findings.push(finding(migration, statement, replaced(hazard, state), contracts));
  }
  return findings;
}

function hazardsIn(statement: string, known: Known, shared: boolean): Hazard[] {
  return [
    ...alterations(statement, known, shared),
    ...indexes(statement, known, shared),
    ...others(statement, known),
  ];
}

/** A table of the same name takes the place of one that was renamed: the program of the version before finds it. */
function replaced(hazard: Hazard, { created }: Known): Hazard {
  const { shape, table } = hazard;
  if (shape !== 'RENAME' || table === undefined || !created.has(table)) return hazard;
  const advice = `another ${table} takes its place: it has to do for the program of the version before`;
  return { shape, table, advice, unless: 'told' };
}

function finding(
  migration: CompiledMigration,
  statement: number,
  { shape, advice, unless, table }: Hazard,
  contracts: boolean,
): Finding {
  const own = { migration: migration.name, statement, shape };
  const reason = table === undefined ? undefined : migration.locksKnowingly[table];
  if (unless === 'told') return { ...own, kind: 'lock', advice };
  if (unless === 'note' && reason !== undefined) return { ...own, kind: 'lock', advice: reason };
  if (unless === 'contract' && contracts)
    return { ...own, kind: 'contract', advice: `follows ${migration.contracts ?? ''}` };
  return { ...own, kind: 'refused', advice };
}

function contractProblem(
  { contracts }: CompiledMigration,
  earlier: readonly CompiledMigration[],
  releasedThrough: number,
): string | undefined {
  if (contracts === undefined) return undefined;
  const expansion = earlier.find(({ name }) => name === contracts);
  if (!expansion) return `There is no earlier migration ${contracts}.`;
  if (expansion.version > releasedThrough) return `${contracts} was not released yet.`;
  return undefined;
}
