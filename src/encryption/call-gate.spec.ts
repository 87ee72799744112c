import { describe, expect, it } from 'vitest';
import { CallGate } from './call-gate.js';

interface Call {
  readonly tenant: string;
  readonly end: () => void;
}

/** A gate whose calls begin when they may, and end when the test says so. */
function observed(atOnce: number, perTenant: number, waiting: number) {
  const gate = new CallGate({ atOnce, perTenant, waiting });
  const begun: Call[] = [];
  const call = (tenant: string): Promise<void> =>
    gate.run(tenant, () => new Promise((end) => begun.push({ tenant, end })));
  return { call, begun, tenants: () => begun.map(({ tenant }) => tenant).join('') };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('calls to a key service', () => {
  it('are so many at once, whoever asks, and go on in the order in which they came', async () => {
    const { call, begun, tenants } = observed(3, 3, 10);
    const calls = ['a', 'b', 'a', 'b', 'c'].map(call);
    expect(tenants()).toBe('aba');
    begun[1]?.end();
    await turn();
    expect(tenants()).toBe('abab');
    for (const at of [0, 2, 3]) begun[at]?.end();
    await turn();
    begun[4]?.end();
    await Promise.all(calls);
    expect(tenants()).toBe('ababc');
  });

  it('of one organisation whose key service hangs leave room for those of others', async () => {
    const { call, begun, tenants } = observed(3, 2, 10);
    const hanging = ['a', 'a', 'a', 'a'].map(call);
    const other = ['b', 'b'].map(call);
    expect(tenants()).toBe('aab');
    begun[2]?.end();
    await turn();
    expect(tenants()).toBe('aabb');
    begun[3]?.end();
    await Promise.all(other);
    expect(tenants()).toBe('aabb');
    for (let at = 0; at < 6; at += 1) {
      begun[at]?.end();
      await turn();
    }
    await Promise.all(hanging);
  });

  it('that fail make room as well, and beyond those that may wait they are refused', async () => {
    const gate = new CallGate({ atOnce: 1, perTenant: 1, waiting: 1 });
    const failing = gate.run('a', () => turn().then(() => Promise.reject(new Error('away'))));
    const second = gate.run('a', () => Promise.resolve('answered'));
    await expect(gate.run('b', () => Promise.resolve())).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    await expect(failing).rejects.toThrow('away');
    expect(await second).toBe('answered');
  });
});
