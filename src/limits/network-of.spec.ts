import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOf, networkOf } from './network-of.js';

describe('the network of an address', () => {
  it('is an IPv4 address itself, however it is written', () => {
    for (const written of ['203.0.113.7', '::ffff:203.0.113.7', '::FFFF:203.0.113.7', '203.0.113.7:51234'])
      expect(networkOf(written)).toBe('203.0.113.7');
    expect(networkOf('203.0.113.8')).toBe('203.0.113.8');
  });

  it('is the /64 of an IPv6 address, however it is written', () => {
    const same = [
      '2001:db8:0:1::1',
      '2001:0DB8:0000:0001:ffff:ffff:ffff:ffff',
      '2001:db8:0:1:0:0:198.51.100.1',
      '2001:db8::1:0:0:0:1%eth0',
    ];
    for (const written of same) expect(networkOf(written)).toBe('2001:db8:0:1');
    expect(networkOf('::1')).toBe('0:0:0:0');
    expect(networkOf('::')).toBe('0:0:0:0');
    expect(networkOf('1::')).toBe('1:0:0:0');
  });

  it('is the same for all addresses of a /64, and for none of another', () => {
    const group = fc.integer({ min: 0, max: 0xffff });
    const groups = fc.array(group, { minLength: 4, maxLength: 4 });
    const text = (parts: readonly number[]) => parts.map((part) => part.toString(16)).join(':');
    fc.assert(
      fc.property(groups, groups, groups, (network, host, other) => {
        const one = `${text(network)}:${text(host)}`;
        expect(networkOf(one)).toBe(text(network));
        expect(networkOf(one) === networkOf(`${text(other)}:${text(host)}`)).toBe(
          text(network) === text(other),
        );
      }),
    );
  });

  it('is found for every way of writing an IPv6 address', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        fc.pre(isIPv6(address));
        // The system's own way of writing says which groups there are.
        const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
        expect(networkOf(address)).toBe(networkOf(canonical));
        expect(networkOf(address)).toMatch(/^([0-9a-f]{1,4}:){3}[0-9a-f]{1,4}$|^\d+(\.\d+){3}$/);
      }),
    );
  });

  it('is one for everything that is no address, so that inventing some is of no use', () => {
    for (const nothing of ['', 'unknown', 'abc', '1.2.3', '999.1.1.1', ':::', '<script>'])
      expect(networkOf(nothing)).toBe('unknown');
  });
});

it('an address is looked up as others write it', () => {
  expect(['::ffff:203.0.113.7', '203.0.113.7:80', 'fe80::1%eth0', '2001:db8::1'].map(addressOf)).toEqual([
    '203.0.113.7',
    '203.0.113.7',
    'fe80::1',
    '2001:db8::1',
  ]);
});
