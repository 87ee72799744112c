import { expect, it } from 'vitest';
import { statementsIn } from './sql-statements.js';

it('cuts at semicolons that are in no literal, name, body or comment', () => {
  const sql = `SELECT ';' , E'\\';' -- ; no
    , "a;b" /* ; /* ; */ ; */ ; DO $x$ BEGIN; END $x$; UPDATE t SET a = 'it''s; so'`;
  expect(statementsIn(sql)).toEqual([
    "SELECT '' , '' , \"a;b\"",
    'DO $x$ BEGIN; END $x$',
    "UPDATE t SET a = ''",
  ]);
});

it('is not misled by what looks like a statement in a comment or a literal', () => {
  expect(statementsIn("/* x */ SELECT 'DROP TABLE t' -- DROP TABLE t")).toEqual(["SELECT ''"]);
  expect(statementsIn('/* /* */ DROP TABLE a; */ DROP TABLE b')).toEqual(['DROP TABLE b']);
});
