import { describe, expect, it } from 'vitest';
import { CELL_MIGRATIONS, RELEASED_THROUGH, TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import { compileMigrations, reviewMigrations, type Finding } from '../../src/platform/database/index.js';
import { migration } from '../support/migrations.js';

const foundation = migration('Foundation1', [
  'CREATE TABLE users (id integer PRIMARY KEY)',
  'CREATE TABLE audit.events (a integer)',
]);
const released = migration('Expands2', ['ALTER TABLE users ADD COLUMN name text']);

interface Reviewed {
  readonly shared?: boolean;
  readonly declared?: { readonly contracts?: string; readonly locksKnowingly?: Record<string, string> };
  readonly releasedThrough?: number;
}

/** What is found in a migration of these statements that comes after two that were released. */
async function review(
  statements: string[],
  { shared = false, declared = {}, releasedThrough = 2 }: Reviewed = {},
): Promise<Finding[]> {
  const all = await compileMigrations([foundation, released, migration('Third3', statements, declared)]);
  const findings = reviewMigrations(all, { shared, releasedThrough });
  return findings.filter((found) => found.migration === 'Third3');
}
const refused = (findings: Finding[]): string[] =>
  findings.filter(({ kind }) => kind === 'refused').map(({ shape }) => shape);

it('no migration of the house takes away what the version before uses, or locks what all share', async () => {
  const cell = reviewMigrations(await compileMigrations(CELL_MIGRATIONS), {
    shared: true,
    releasedThrough: RELEASED_THROUGH,
  });
  const tenant = reviewMigrations(await compileMigrations(TENANT_MIGRATIONS), {
    shared: false,
    releasedThrough: RELEASED_THROUGH,
  });
  expect([...cell, ...tenant].filter(({ kind }) => kind === 'refused')).toEqual([]);
});

describe('a review of a migration', () => {
  const taking: [string, string][] = [
    ['DROP', 'DROP TABLE users'],
    ['DROP', 'DROP TABLE IF EXISTS users CASCADE'],
    ['DROP', 'drop   view v'],
    ['DROP', 'DROP SCHEMA s CASCADE'],
    ['DROP', 'DROP FUNCTION f()'],
    ['DROP', "DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'users'; END $$"],
    ['DROP COLUMN', 'ALTER TABLE users DROP COLUMN name'],
    ['DROP COLUMN', 'ALTER TABLE users DROP name'],
    ['DROP COLUMN', 'ALTER TABLE ONLY users ADD COLUMN b text, DROP COLUMN IF EXISTS name'],
    ['RENAME', 'ALTER TABLE users RENAME TO people'],
    ['RENAME', 'ALTER TABLE users RENAME COLUMN name TO title'],
    ['RENAME', 'ALTER TABLE users RENAME name TO title'],
    ['RENAME', 'ALTER TABLE users SET SCHEMA other'],
    ['RENAME', "ALTER TYPE colour RENAME VALUE 'a' TO 'b'"],
    ['ALTER COLUMN TYPE', 'ALTER TABLE users ALTER COLUMN id TYPE bigint'],
    ['ALTER COLUMN TYPE', 'ALTER TABLE users ALTER id SET DATA TYPE bigint'],
    ['SET NOT NULL', 'ALTER TABLE users ALTER COLUMN name SET NOT NULL'],
    ['NOT NULL WITHOUT DEFAULT', 'ALTER TABLE users ADD COLUMN b text NOT NULL'],
    ['NOT NULL WITHOUT DEFAULT', 'ALTER TABLE users ADD IF NOT EXISTS b text NOT NULL'],
    ['DROP DEFAULT', 'ALTER TABLE users ALTER COLUMN name DROP DEFAULT'],
    ['DELETE', 'DELETE FROM users'],
    ['DELETE', 'TRUNCATE users'],
  ];

  it.each(taking)('refuses %s: %s', async (shape, statement) => {
    expect(refused(await review([statement]))).toEqual([shape]);
  });

  it.each(taking)('lets a contract step do it, and says so: %s, %s', async (shape, statement) => {
    const findings = await review([statement], { declared: { contracts: 'Expands2' } });
    expect(refused(findings)).toEqual([]);
    expect(findings).toContainEqual(
      expect.objectContaining({ kind: 'contract', shape, advice: 'follows Expands2' }),
    );
  });

  it('refuses a contract step of nothing, of something later, of itself, and of what was not released', async () => {
    const statements = ['ALTER TABLE users DROP COLUMN name'];
    for (const contracts of ['Expands9', 'Third3', ''])
      expect(refused(await review(statements, { declared: { contracts } }))).toEqual([
        'CONTRACT',
        'DROP COLUMN',
      ]);
    const declared = { contracts: 'Expands2' };
    expect(refused(await review(statements, { declared, releasedThrough: 1 }))).toEqual([
      'CONTRACT',
      'DROP COLUMN',
    ]);
  });

  const locking: [string, string, string][] = [
    ['ADD UNIQUE', 'audit.events', 'ALTER TABLE audit.events ADD UNIQUE (a)'],
    ['ADD UNIQUE', 'audit.events', 'ALTER TABLE audit.events ADD CONSTRAINT one PRIMARY KEY (a)'],
    ['ADD UNIQUE', 'audit.events', 'ALTER TABLE audit.events ADD COLUMN b integer UNIQUE'],
    ['ADD CONSTRAINT', 'audit.events', 'ALTER TABLE audit.events ADD CHECK (a > 0)'],
    [
      'ADD CONSTRAINT',
      'audit.events',
      'ALTER TABLE audit.events ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES x',
    ],
    ['TABLE REWRITE', 'audit.events', 'ALTER TABLE audit.events ADD COLUMN b uuid DEFAULT gen_random_uuid()'],
    [
      'TABLE REWRITE',
      'audit.events',
      'ALTER TABLE audit.events ADD COLUMN b integer GENERATED ALWAYS AS (a * 2) STORED',
    ],
    ['TABLE REWRITE', 'audit.events', 'ALTER TABLE audit.events SET UNLOGGED'],
    ['CREATE INDEX', 'audit.events', 'CREATE INDEX ON audit.events (a)'],
    [
      'CREATE INDEX',
      'audit.events',
      'CREATE UNIQUE INDEX IF NOT EXISTS i ON ONLY audit.events USING btree (a)',
    ],
  ];

  it.each(locking)('refuses %s of %s, unless a note says why it may: %s', async (shape, table, statement) => {
    expect(refused(await review([statement], { shared: true }))).toEqual([shape]);
    const declared = { locksKnowingly: { [table]: 'there is one row' } };
    const noted = await review([statement], { shared: true, declared });
    expect(refused(noted)).toEqual([]);
    expect(noted).toContainEqual(
      expect.objectContaining({ kind: 'lock', shape, advice: 'there is one row' }),
    );
    const elsewhere = { locksKnowingly: { 'work.runs': 'there is one row' } };
    expect(refused(await review([statement], { shared: true, declared: elsewhere }))).toEqual([shape]);
  });

  const never: [string, string][] = [
    ['TRANSACTION CONTROL', 'COMMIT'],
    ['TRANSACTION CONTROL', 'SELECT 1; ROLLBACK; SELECT 2'],
    ['TRANSACTION CONTROL', 'SET search_path = public'],
    ['TRANSACTION CONTROL', 'RESET ALL'],
    ['NOT IN A TRANSACTION', 'CREATE INDEX CONCURRENTLY i ON users (name)'],
    ['NOT IN A TRANSACTION', 'VACUUM users'],
    ['GRANT ON ALL', 'GRANT SELECT ON ALL TABLES IN SCHEMA public TO {tenant}'],
  ];

  it.each(never)('refuses %s, whatever is declared: %s', async (shape, statement) => {
    const declared = { contracts: 'Expands2', locksKnowingly: { users: 'it is small' } };
    expect(refused(await review([statement], { declared }))).toEqual([shape]);
  });

  it('lets a column become NOT NULL once a check of it was validated', async () => {
    const checked = [
      'ALTER TABLE users ADD CONSTRAINT named CHECK (name IS NOT NULL) NOT VALID',
      'ALTER TABLE users VALIDATE CONSTRAINT named',
      'ALTER TABLE users ALTER COLUMN name SET NOT NULL',
    ];
    expect(refused(await review(checked))).toEqual([]);
    const [added = '', , set = ''] = checked;
    expect(refused(await review([added, set]))).toEqual(['SET NOT NULL']);
    const ofAnother = [...checked.slice(0, 2), 'ALTER TABLE users ALTER COLUMN id SET NOT NULL'];
    expect(refused(await review(ofAnother))).toEqual(['SET NOT NULL']);
  });

  it.each([
    'ALTER TABLE users ADD COLUMN b text',
    "ALTER TABLE users ADD COLUMN b text NOT NULL DEFAULT 'x'",
    'ALTER TABLE users ADD COLUMN b timestamptz NOT NULL DEFAULT now()',
    'ALTER TABLE users ADD CONSTRAINT c CHECK (id > 0) NOT VALID',
    'ALTER TABLE users DROP CONSTRAINT c',
    'ALTER TABLE users RENAME CONSTRAINT c TO d',
    'CREATE TABLE b (id integer PRIMARY KEY, name text NOT NULL)',
    'CREATE INDEX ON users (name)',
    'GRANT SELECT ON users TO {tenant}',
    "INSERT INTO users VALUES (1, 'DROP TABLE users')",
    'SELECT 1 -- DROP TABLE users',
  ])('has nothing against %s', async (statement) => {
    expect(refused(await review([statement]))).toEqual([]);
  });

  it('does not mind what is done to a table that the same migration made', async () => {
    const statements = [
      'CREATE TABLE fresh (a integer)',
      'CREATE INDEX ON fresh (a)',
      'ALTER TABLE fresh ALTER COLUMN a SET NOT NULL',
      'DROP TABLE fresh',
    ];
    expect(await review(statements, { shared: true })).toEqual([]);
  });

  it('lets a table be renamed whose name another takes at once, and refuses it where none does', async () => {
    const rename = 'ALTER TABLE users RENAME TO users_1';
    const another = 'CREATE TABLE users (LIKE users_1) PARTITION BY LIST (id)';
    const findings = await review([rename, another]);
    expect(refused(findings)).toEqual([]);
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'lock', shape: 'RENAME' }));
    expect(refused(await review([rename, 'CREATE TABLE people (LIKE users_1)']))).toEqual(['RENAME']);
  });

  it('tells of locks that are short or hold up one tenant, and refuses none of them', async () => {
    const kinds = async (statement: string, shared: boolean): Promise<unknown> =>
      (await review([statement], { shared })).map(({ kind, shape }) => [kind, shape]);
    expect(await kinds('CREATE INDEX ON users (name)', false)).toEqual([['lock', 'CREATE INDEX']]);
    expect(await kinds('ALTER TABLE audit.events ADD COLUMN b text', true)).toEqual([
      ['lock', 'ALTER TABLE'],
    ]);
    expect(await kinds("UPDATE users SET name = 'x'", false)).toEqual([['lock', 'UPDATE']]);
    expect(await kinds('REVOKE SELECT ON users FROM {tenant}', false)).toEqual([['lock', 'REVOKE']]);
    expect(await kinds('CREATE INDEX ON control.tenants (name)', true)).toEqual([['lock', 'CREATE INDEX']]);
  });
});
