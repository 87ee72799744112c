import { describe, expect, it } from 'vitest';
import { AddressPolicy } from './address-policy.js';

const strict = new AddressPolicy({ allowLoopback: false });

describe('an address policy without exceptions', () => {
  it.each([
    ['public IPv4', '8.8.8.8'],
    ['the last before a private block', '172.15.255.255'],
    ['the first behind a private block', '172.32.0.0'],
    ['the first behind carrier-grade NAT', '100.128.0.0'],
    ['public IPv6', '2606:4700:4700::1111'],
    ['public IPv4, mapped', '::ffff:8.8.8.8'],
    ['public IPv4 through NAT64', '64:ff9b::8.8.8.8'],
  ])('permits %s, %s', (_what, address) => {
    expect(strict.permits(address)).toBe(true);
  });

  it.each([
    ['unspecified', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['carrier-grade NAT', '100.127.255.255'],
    ['link-local', '169.254.1.1'],
    ['instance metadata', '169.254.169.254'],
    ['ECS credentials', '169.254.170.2'],
    ['Azure’s wire server, which is a public address', '168.63.129.16'],
    ['Alibaba’s metadata', '100.100.100.200'],
    ['Oracle’s metadata', '192.0.0.192'],
    ['documentation', '192.0.2.1'],
    ['benchmarks', '198.18.0.1'],
    ['benchmarks', '198.19.255.255'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['loopback, spelled out', '0:0:0:0:0:0:0:1'],
    ['IPv4-compatible loopback', '::127.0.0.1'],
    ['mapped loopback', '::ffff:127.0.0.1'],
    ['mapped loopback in hex', '::ffff:7f00:1'],
    ['mapped private', '::ffff:10.0.0.1'],
    ['mapped metadata', '::ffff:169.254.169.254'],
    ['translated (RFC 6145)', '::ffff:0:127.0.0.1'],
    ['NAT64 to loopback', '64:ff9b::127.0.0.1'],
    ['NAT64 to metadata', '64:ff9b::a9fe:a9fe'],
    ['local NAT64', '64:ff9b:1::1'],
    ['6to4 of a private address', '2002:a00:1::1'],
    ['6to4 of a public address', '2002:808:808::1'],
    ['Teredo', '2001::1'],
    ['ORCHID', '2001:20::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['discard', '100::1'],
    ['segment routing', '5f00::1'],
    ['unique local', 'fc00::1'],
    ['unique local', 'fdff::1'],
    ['AWS’s metadata', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
  ])('refuses %s: %s', (_what, address) => {
    expect(strict.permits(address)).toBe(false);
  });

  it.each(['', 'localhost', '127.1', '0x7f.0.0.1', '017700000001', '2130706433', '127.0.0.1 ', '::1]'])(
    'refuses %j, which is no address in its normal form',
    (address) => {
      expect(strict.permits(address)).toBe(false);
    },
  );
});

describe('exceptions of the operator', () => {
  it('reach loopback, in both families, and nothing else', () => {
    const policy = new AddressPolicy({ allowLoopback: true });
    expect(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'].every((a) => policy.permits(a))).toBe(true);
    expect(['10.0.0.1', 'fe80::1', '0.0.0.0', '::'].some((a) => policy.permits(a))).toBe(false);
  });

  it('reach the blocks that are named, up to their edges', () => {
    const policy = new AddressPolicy({
      allowLoopback: false,
      allowPrivate: ['10.20.0.0/15', 'fd12:3456::/32'],
    });
    expect(
      ['10.20.0.0', '10.21.255.255', '::ffff:10.20.0.1', 'fd12:3456::1'].every((a) => policy.permits(a)),
    ).toBe(true);
    expect(['10.19.255.255', '10.22.0.0', 'fd12:3457::1', '127.0.0.1'].some((a) => policy.permits(a))).toBe(
      false,
    );
  });

  it('never reach cloud metadata', () => {
    const policy = new AddressPolicy({ allowLoopback: true, allowPrivate: ['0.0.0.0/0', '::/0'] });
    expect(policy.permits('10.0.0.1')).toBe(true);
    expect(
      ['169.254.169.254', 'fd00:ec2::254', '::ffff:169.254.169.254'].some((a) => policy.permits(a)),
    ).toBe(false);
  });

  it('are refused when they are not valid', () => {
    expect(() => new AddressPolicy({ allowLoopback: false, allowPrivate: ['10.0.0.0'] })).toThrow('CIDR');
  });
});
