/** Something that a statement does to programs or requests that run beside it. */
export interface Hazard {
  readonly shape: string;
  readonly advice: string;
  readonly table?: string;
  /** What makes it acceptable: being a contract step, a note why its lock is, nothing; or it is only worth telling. */
  readonly unless: 'contract' | 'note' | 'never' | 'told';
}

/** What earlier statements have made of the schema, as far as it matters to later ones. */
export interface Known {
  /** Made by the same migration: empty, and used by nobody. */
  readonly created: Set<string>;
  /** Columns that a check says are not null: by table and the name of the constraint. */
  readonly notNullChecks: Map<string, string>;
  /** Columns, as `table.column`, whose check was validated. */
  readonly validated: Set<string>;
}

const NAME = '((?:"[^"]+"|\\w+)(?:\\.(?:"[^"]+"|\\w+))?)';
const OLD_PROGRAM =
  'the program of the version before still uses it: stop using it first, drop it a release later';
const ALTER_TABLE = new RegExp(`^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?${NAME} (.*)$`, 'is');
const CREATE_TABLE = new RegExp(`^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?${NAME}`, 'i');
const CREATE_INDEX = new RegExp(`^CREATE (?:UNIQUE )?INDEX .*?\\bON (?:ONLY )?${NAME}`, 'is');

/** ALTER TABLE, action by action. */
export function alterations(statement: string, known: Known, shared: boolean): Hazard[] {
  const [, table, actions] = ALTER_TABLE.exec(statement) ?? [];
  if (table === undefined || actions === undefined) return [];
  const found = splitAtCommas(actions).flatMap((action) => hazardsOf(action, table, known));
  if (known.created.has(table)) return [];
  const locked: Hazard = {
    shape: 'ALTER TABLE',
    table,
    unless: 'told',
    advice: `locks ${table}, which all tenants share, until the migration's end`,
  };
  return [...found.map((hazard) => ({ ...hazard, table })), ...(shared ? [locked] : [])];
}

/** What an action of ALTER TABLE does. The patterns are tried in this order; the first that fits says what it is. */
const ACTIONS: readonly (Hazard & { readonly pattern: RegExp; readonly except?: RegExp })[] = [
  {
    pattern: /^(?:RENAME\b|SET SCHEMA\b)/i,
    except: /^RENAME CONSTRAINT\b/i,
    shape: 'RENAME',
    unless: 'contract',
    advice: 'the program of the version before knows the old name: add the new one beside it',
  },
  { pattern: /^DROP (?!CONSTRAINT\b)/i, shape: 'DROP COLUMN', unless: 'contract', advice: OLD_PROGRAM },
  {
    pattern: /^ALTER (?:COLUMN )?\S+ (?:SET DATA )?TYPE\b/i,
    shape: 'ALTER COLUMN TYPE',
    unless: 'contract',
    advice:
      'rewrites the table under a lock, and the program of the version before knows the old type: add a column',
  },
  {
    pattern: /^ALTER (?:COLUMN )?\S+ DROP (?:DEFAULT|IDENTITY)\b/i,
    shape: 'DROP DEFAULT',
    unless: 'contract',
    advice: 'the program of the version before inserts without a value',
  },
  {
    pattern: /^ADD (?:CONSTRAINT \S+ )?(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b/i,
    except: /\bUSING INDEX\b/i,
    shape: 'ADD UNIQUE',
    unless: 'note',
    advice: 'builds an index under a lock: build it before, and add the constraint USING INDEX',
  },
  {
    pattern: /^ADD (?:CONSTRAINT \S+ )?(?:CHECK|FOREIGN KEY|NOT NULL)\b/i,
    except: /\bNOT VALID\b/i,
    shape: 'ADD CONSTRAINT',
    unless: 'note',
    advice:
      'reads the whole table under a lock: add it NOT VALID, and VALIDATE CONSTRAINT in a migration after it',
  },
  {
    pattern: /^SET (?:LOGGED|UNLOGGED|TABLESPACE|ACCESS METHOD)\b/i,
    shape: 'TABLE REWRITE',
    unless: 'note',
    advice: 'writes the whole table anew under a lock',
  },
];

function hazardsOf(action: string, table: string, known: Known): Hazard[] {
  remember(action, table, known);
  const [, column] = /^ALTER (?:COLUMN )?(\S+) SET NOT NULL$/i.exec(action) ?? [];
  if (column !== undefined) {
    if (known.validated.has(`${table}.${column}`)) return [];
    const advice = `reads the whole table under a lock: first ADD CONSTRAINT ... CHECK (${column} IS NOT NULL) NOT VALID, and VALIDATE it`;
    return [{ shape: 'SET NOT NULL', unless: 'contract', advice }];
  }
  const fitting = ACTIONS.find(({ pattern, except }) => pattern.test(action) && !except?.test(action));
  if (fitting) return [fitting];
  return /^ADD (?!CONSTRAINT\b|CHECK\b|FOREIGN\b|NOT\b|UNIQUE\b|PRIMARY\b|EXCLUDE\b)/i.test(action)
    ? addedColumn(action)
    : [];
}

function addedColumn(action: string): Hazard[] {
  const found: Hazard[] = [];
  const initial = /\bDEFAULT (.*)$/i.exec(action)?.[1];
  if (/\bNOT NULL\b/i.test(action) && initial === undefined && !/\b(?:GENERATED|SERIAL)/i.test(action)) {
    const advice =
      'fails where there are rows, and the program of the version before inserts without it: give it a default';
    found.push({ shape: 'NOT NULL WITHOUT DEFAULT', unless: 'contract', advice });
  }
  // A function of each row's own moment, unlike now(), is called for each row there is.
  const calls = (initial ?? '').replace(/\b(?:now|transaction_timestamp)\(\)/gi, '');
  if (
    /\b(?:GENERATED|(?:big|small)?serial)\b/i.test(action) ||
    /\w\(/.test(calls.split(/\b(?:CHECK|REFERENCES)\b/i)[0] ?? '')
  ) {
    const advice = 'writes the whole table anew under a lock: add it without, and fill it in batches';
    found.push({ shape: 'TABLE REWRITE', unless: 'note', advice });
  }
  if (/\b(?:UNIQUE|PRIMARY KEY)\b/i.test(action)) {
    const advice = 'builds an index under a lock: build it before, and add the constraint USING INDEX';
    found.push({ shape: 'ADD UNIQUE', unless: 'note', advice });
  }
  return found;
}

/** A validated check lets SET NOT NULL skip its scan (PostgreSQL: ALTER TABLE, SET NOT NULL). */
function remember(action: string, table: string, known: Known): void {
  const [, name, column] =
    /^ADD CONSTRAINT (\S+) CHECK \( ?(\S+) IS NOT NULL ?\) NOT VALID$/i.exec(action) ?? [];
  if (name !== undefined && column !== undefined) known.notNullChecks.set(`${table}.${name}`, column);
  const [, validated] = /^VALIDATE CONSTRAINT (\S+)$/i.exec(action) ?? [];
  const checked = validated === undefined ? undefined : known.notNullChecks.get(`${table}.${validated}`);
  if (checked !== undefined) known.validated.add(`${table}.${checked}`);
}

export function indexes(statement: string, known: Known, shared: boolean): Hazard[] {
  const [, created] = CREATE_TABLE.exec(statement) ?? [];
  if (created !== undefined) known.created.add(created);
  const [, table] = CREATE_INDEX.exec(statement) ?? [];
  if (table === undefined || known.created.has(table)) return [];
  // The registry has a row per tenant; other shared tables grow with what all tenants do.
  const big = shared && !table.startsWith('control.');
  const advice = big
    ? `nobody can write ${table} while it is built: build it CONCURRENTLY by hand first, and create it IF NOT EXISTS`
    : `nobody writes ${table} while it is built`;
  return [{ shape: 'CREATE INDEX', table, unless: big ? 'note' : 'told', advice }];
}

const TRANSACTION = 'a migration is one transaction with its entry in the ledger, and tenants share it';

/** Other statements, by how they begin; for procedural blocks, by what is anywhere in them. */
const STATEMENTS: readonly (Hazard & { readonly pattern: RegExp; readonly inBlocks?: RegExp })[] = [
  {
    pattern:
      /^(?:BEGIN|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|START TRANSACTION|PREPARE TRANSACTION|RESET|DISCARD|SET (?!LOCAL\b|CONSTRAINTS\b))/i,
    shape: 'TRANSACTION CONTROL',
    unless: 'never',
    advice: TRANSACTION,
  },
  {
    pattern:
      /^(?:VACUUM|ALTER SYSTEM|(?:CREATE|DROP) (?:DATABASE|TABLESPACE)|REINDEX|CLUSTER|(?:CREATE|DROP) (?:UNIQUE )?INDEX CONCURRENTLY)\b/i,
    shape: 'NOT IN A TRANSACTION',
    unless: 'never',
    advice: `${TRANSACTION}: do this by hand before`,
  },
  {
    pattern: /^GRANT\b.*\bON ALL (?:TABLES|SEQUENCES|FUNCTIONS|ROUTINES)\b/i,
    inBlocks: /\bON ALL (?:TABLES|SEQUENCES|FUNCTIONS|ROUTINES)\b/i,
    shape: 'GRANT ON ALL',
    unless: 'never',
    advice:
      'grant per table and per verb: what the application never does to a table, it must not be able to do',
  },
  {
    pattern: /^DROP (?!INDEX\b|TRIGGER\b|RULE\b|STATISTICS\b|TABLESPACE\b|DATABASE\b)(?:\w+)/i,
    inBlocks: /\bDROP (?:TABLE|SCHEMA|COLUMN|VIEW|TYPE|FUNCTION|SEQUENCE|ROLE|OWNED)\b/i,
    shape: 'DROP',
    unless: 'contract',
    advice: OLD_PROGRAM,
  },
  {
    pattern: /^ALTER (?!TABLE\b|INDEX\b).*\bRENAME\b/i,
    inBlocks: /\bRENAME (?:TO|COLUMN)\b/i,
    shape: 'RENAME',
    unless: 'contract',
    advice: 'the program of the version before knows the old name: add the new one beside it',
  },
  {
    pattern: /^(?:TRUNCATE|DELETE FROM)\b/i,
    inBlocks: /\b(?:TRUNCATE|DELETE FROM)\b/i,
    shape: 'DELETE',
    unless: 'contract',
    advice: 'takes rows away for good, and holds locks while it does',
  },
  {
    pattern: /^(?:UPDATE|MERGE|LOCK|WITH)\b/i,
    inBlocks: /\bUPDATE\b/i,
    shape: 'UPDATE',
    unless: 'told',
    advice: 'locks the rows that it changes until the end: fill big tables in batches, from the program',
  },
  { pattern: /^DROP INDEX\b/i, shape: 'DROP INDEX', unless: 'told', advice: 'locks its table for a moment' },
  {
    pattern: /^REVOKE\b/i,
    shape: 'REVOKE',
    unless: 'told',
    advice: 'whoever still uses the right is refused',
  },
  { pattern: /^DO\b/i, shape: 'DO', unless: 'told', advice: 'a procedural block: read what it does' },
];

export function others(statement: string, known: Known): Hazard[] {
  const block = /^(?:DO|CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE))\b/i.test(statement);
  return STATEMENTS.filter(
    ({ pattern, inBlocks }) => pattern.test(statement) || (block && inBlocks?.test(statement)),
  ).filter(() => !droppedAgain(statement, known));
}

/** A table that the same migration has made. */
function droppedAgain(statement: string, known: Known): boolean {
  const [, table] = new RegExp(`^DROP TABLE (?:IF EXISTS )?${NAME}`, 'i').exec(statement) ?? [];
  return table !== undefined && known.created.has(table);
}

/** At commas that are in no parentheses, as between the actions of ALTER TABLE. */
function splitAtCommas(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim());
}
