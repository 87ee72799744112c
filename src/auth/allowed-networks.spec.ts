import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllowedNetworks, isNetwork } from './allowed-networks.js';

describe('allowed networks', () => {
  it.each([
    [['203.0.113.0/24'], '203.0.113.255', true],
    [['203.0.113.0/24'], '::ffff:203.0.113.7', true],
    [['203.0.113.0/24'], '203.0.114.0', false],
    [['203.0.113.7'], '203.0.113.7', true],
    [['203.0.113.7'], '203.0.113.7:51234', true],
    [['203.0.113.7'], '203.0.113.8', false],
    [['2001:db8::/32'], '2001:db8:ffff::1', true],
    [['2001:db8::/32'], '2001:db9::1', false],
    [['2001:db8::/32', '10.0.0.0/8'], '10.1.2.3', true],
    [['10.0.0.0/8'], 'unknown', false],
    [['10.0.0.0/8'], '', false],
    [['0.0.0.0/0'], '192.0.2.1', true],
    [['0.0.0.0/0'], '2001:db8::1', false],
    [[], '192.0.2.1', false],
  ])('%j have %s: %s', (networks, ip, allowed) => {
    expect(new AllowedNetworks(networks).has(ip)).toBe(allowed);
  });

  it.each([
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '::1/129',
    'fe80::1%eth0',
    '1/2/3',
    'x',
    null,
    8,
  ])('are not %j', (text) => expect(isNetwork(text)).toBe(false));

  it('have every address whose leading bits are theirs, and no other', () => {
    const address = fc.ipV4();
    const number = (ip: string): number => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    fc.assert(
      fc.property(address, address, fc.integer({ min: 0, max: 32 }), (network, ip, bits) => {
        const size = 2 ** (32 - bits);
        const expected = Math.floor(number(network) / size) === Math.floor(number(ip) / size);
        expect(new AllowedNetworks([`${network}/${bits}`]).has(ip)).toBe(expected);
      }),
    );
  });
});
