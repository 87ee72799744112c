import { describe, expect, it } from 'vitest';
import { fingerprintsOf, isBoundTo } from './session-binding.js';

const BROWSER = 'Browser/1.0';
const at = (ip: string, userAgent = BROWSER) => ({ ip, userAgent });

describe('a session', () => {
  it.each([
    ['exact', '203.0.113.7', '203.0.113.7', true],
    ['exact', '203.0.113.7', '::ffff:203.0.113.7', true],
    ['exact', '203.0.113.7', '203.0.113.8', false],
    ['network', '203.0.113.7', '203.0.113.250', true],
    ['network', '203.0.113.7', '203.0.114.7', false],
    ['network', '2001:db8:1::1', '2001:db8:1:2::9', true],
    ['network', '2001:db8::1', '2001:db8:0:7::1', true],
    ['network', '2001:db8:1::1', '2001:db8:2::1', false],
    ['network', '203.0.113.7', '2001:db8::1', false],
    ['off', '203.0.113.7', '2001:db8::1', true],
  ] as const)('bound by "%s", opened at %s, is at %s: %s', (binding, opened, now, served) => {
    expect(isBoundTo(fingerprintsOf(at(opened)), at(now), binding)).toBe(served);
  });

  it('belongs to its browser whatever the binding', () => {
    const bound = fingerprintsOf(at('203.0.113.7'));
    for (const binding of ['exact', 'network', 'off'] as const)
      expect(isBoundTo(bound, at('203.0.113.7', 'Other/1.0'), binding)).toBe(false);
  });

  it('that was opened before there were such bindings is bound to its network alone', () => {
    const { network } = fingerprintsOf(at('203.0.113.7'));
    const bound = { exact: null, network, off: null };
    const served = (['exact', 'network', 'off'] as const).map((binding) =>
      isBoundTo(bound, at('203.0.113.7'), binding),
    );
    expect(served).toEqual([false, true, false]);
  });
});
