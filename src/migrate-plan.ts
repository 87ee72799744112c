import {
  reviewMigrations,
  type CompiledMigration,
  type Finding,
  type MigrationPlan,
  type PendingMigrations,
} from './platform/database/index.js';

/** What `--plan` prints. */
export function describePlan(
  pending: ReadonlyMap<string, PendingMigrations>,
  plan: MigrationPlan,
  releasedThrough: number,
): string[] {
  const findings = [
    ...reviewMigrations(plan.cell, { shared: true, releasedThrough }),
    ...reviewMigrations(plan.tenant, { shared: false, releasedThrough }),
  ];
  const lines = [...pending].flatMap(([name, cell]) => describeCell(name, cell, findings));
  return [...lines, '', 'Nothing was changed.'];
}

function describeCell(
  name: string,
  { cell, tenant, behind }: PendingMigrations,
  findings: readonly Finding[],
): string[] {
  const lines = cell.flatMap((migration) => describe(migration, 'once', findings));
  for (const migration of tenant) {
    const lacking = behind.filter(({ version }) => version < migration.version);
    const tenants = lacking.reduce((sum, standing) => sum + standing.tenants, 0);
    const spares = lacking.reduce((sum, standing) => sum + standing.spares, 0);
    if (tenants + spares > 0)
      lines.push(
        ...describe(migration, `to ${counted(tenants, 'tenant')} and ${counted(spares, 'spare')}`, findings),
      );
  }
  return [`${name}: ${lines.length === 0 ? 'nothing to do' : ''}`.trimEnd(), ...lines];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function describe(migration: CompiledMigration, to: string, findings: readonly Finding[]): string[] {
  const lines = [
    `  ${migration.name}, ${to}${migration.contracts ? `, contracts ${migration.contracts}` : ''}`,
  ];
  const own = findings.filter((finding) => finding.migration === migration.name);
  for (const [at, statement] of migration.statements.entries()) {
    lines.push(`    ${statement.replace(/\s+/g, ' ')}`);
    for (const { kind, shape, advice } of own.filter((finding) => finding.statement === at))
      lines.push(`      ${kind.toUpperCase()} ${shape}: ${advice}`);
  }
  for (const { kind, shape, advice } of own.filter((finding) => finding.statement === undefined))
    lines.push(`    ${kind.toUpperCase()} ${shape}: ${advice}`);
  return lines;
}
