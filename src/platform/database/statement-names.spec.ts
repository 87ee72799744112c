import { describe, expect, it } from 'vitest';
import { StatementNames } from './statement-names.js';
import { tenantId } from './tenant-id.js';

const tenant = tenantId('t_0123456789abcdef');
const other = tenantId('t_fedcba9876543210');
const statement = (name: string) => ({ name, text: 'SELECT 1' });

describe('the prepared statements of a connection', () => {
  it('are named after their tenant: two tenants’ statements of one name are two', () => {
    const names = new StatementNames(true);
    expect(names.of(tenant, statement('agent'), 1).name).toBe(`${tenant}:agent`);
    expect(names.of(other, statement('agent'), 1).name).toBe(`${other}:agent`);
  });

  it('are closed one by one beyond 256, the least recently used first', () => {
    const names = new StatementNames(true);
    for (let at = 0; at < 256; at += 1) expect(names.of(tenant, statement(`s${at}`), 1).retired).toEqual([]);
    names.of(tenant, statement('s0'), 2);
    expect(names.of(tenant, statement('another'), 1).retired).toEqual([`${tenant}:s1`]);
    expect(names.of(tenant, statement('s1'), 1).retired).toEqual([`${tenant}:s2`]);
  });

  it('get a name when they are sent for the fifth time, the same for the same text', () => {
    const names = new StatementNames(true);
    const unnamed = { text: 'SELECT $1::int', values: [1] };
    expect([1, 2, 3, 4].map((use) => names.of(tenant, unnamed, use).name)).toEqual(Array(4).fill(undefined));
    const { name } = names.of(tenant, unnamed, 5);
    expect(name).toMatch(new RegExp(`^${tenant}:#\\d+$`));
    expect(names.of(tenant, unnamed, 6).name).toBe(name);
    expect(names.of(other, unnamed, 5).name).not.toBe(name);
    expect(names.of(tenant, { text: 'SELECT $1::text', values: [1] }, 5).name).not.toBe(name);
  });

  it('are closed before they are parsed anew', () => {
    const names = new StatementNames(true);
    names.of(tenant, statement('agent'), 1);
    expect(names.of(tenant, statement('agent'), 2, true)).toEqual({
      name: `${tenant}:agent`,
      retired: [`${tenant}:agent`],
    });
  });

  it('have no names behind a pooler', () => {
    const names = new StatementNames(false);
    expect(names.of(tenant, statement('agent'), 99)).toEqual({ name: undefined, retired: [] });
  });
});
