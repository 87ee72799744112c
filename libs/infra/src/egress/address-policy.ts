import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Block = readonly [Address, number];

/** A block of addresses: `10.0.0.0/8`, `fd00::/8`. */
export type Cidr = string;

export interface EgressOptions {
  /** For development and tests: let tenants reach this machine itself. */
  readonly allowLoopback: boolean;
  /** Blocks that tenants may reach although they are not public, such as the network of an in-house model server. */
  readonly allowPrivate?: readonly Cidr[];
}

/**
 * Where clouds hand credentials to whoever asks. Refused even inside a block that the operator allows: no model is
 * served there. AWS (instance, ECS, EKS), GCP, Azure's wire server, Alibaba, Oracle.
 */
const METADATA = blocks(
  ['169.254.169.254/32', '169.254.170.2/32', '169.254.170.23/32', '168.63.129.16/32', '100.100.100.200/32'],
  ['192.0.0.192/32', 'fd00:ec2::254/128', 'fd00:ec2::23/128', 'fd20:ce::254/128'],
);

const LOOPBACK = blocks(['127.0.0.0/8', '::1/128']);

/**
 * IPv4 that is not global unicast, by IANA's special-purpose registry (RFC 6890) plus multicast and the reserved end.
 * Not ipaddr.js's `range()`: version 1.9 calls 198.18.0.0/15, fec0::/10, 64:ff9b:1::/48 and ::127.0.0.1 "unicast".
 */
const NOT_GLOBAL_V4 = blocks(
  ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24'],
  ['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
);

/** All global unicast IPv6 that IANA has given out so far lies in here (RFC 4291 section 2.4)... */
const GLOBAL_V6 = blocks(['2000::/3']);

/** ...less protocol assignments with Teredo and ORCHID, documentation, and 6to4 (RFC 7526: deprecated). */
const NOT_GLOBAL_V6 = blocks(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** An IPv6 address that reaches an IPv4 one: mapped (RFC 4291 section 2.5.5.2), and NAT64 (RFC 6052 section 2.1). */
const EMBEDS_V4 = blocks(['::ffff:0:0/96', '64:ff9b::/96']);

/** Decides which addresses may be connected to. What it does not recognise, it refuses. */
export class AddressPolicy {
  private readonly allowed: readonly Block[];

  /** Throws when a block of `allowPrivate` is not valid. */
  constructor(options: EgressOptions) {
    this.allowed = [...(options.allowLoopback ? LOOPBACK : []), ...blocks(options.allowPrivate ?? [])];
  }

  permits(address: string): boolean {
    const target = parse(address);
    if (!target) return false;
    if (isIn(METADATA, target)) return false;
    if (isIn(this.allowed, target)) return true;
    return target.kind() === 'ipv4'
      ? !isIn(NOT_GLOBAL_V4, target)
      : isIn(GLOBAL_V6, target) && !isIn(NOT_GLOBAL_V6, target);
  }
}

/**
 * Strict: `isIP` first, because ipaddr.js also reads `0x7f.1`, `017700000001` and `127.1`. IPv6 is brought to its normal
 * form by the URL parser, because ipaddr.js cannot read `64:ff9b::127.0.0.1`; that drops addresses with a zone
 * (`fe80::1%eth0`), which are never global.
 */
function parse(address: string): Address | undefined {
  const family = isIP(address);
  if (family === 4) return ipaddr.parse(address);
  const url = `http://[${address}]`;
  if (family === 0 || !URL.canParse(url)) return undefined;
  return embeddedV4(ipaddr.parse(new URL(url).hostname.slice(1, -1)));
}

function embeddedV4(address: Address): Address {
  return isIn(EMBEDS_V4, address) ? ipaddr.fromByteArray(address.toByteArray().slice(12)) : address;
}

function isIn(list: readonly Block[], address: Address): boolean {
  return list.some(([block, bits]) => {
    const [bytes, own] = [block.toByteArray(), address.toByteArray()];
    if (bytes.length !== own.length) return false;
    return bytes.every((byte, at) => {
      const mask = 0xff & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * at)));
      return (byte & mask) === ((own[at] ?? 0) & mask);
    });
  });
}

function blocks(...lists: readonly (readonly Cidr[])[]): readonly Block[] {
  return lists.flat().map((cidr) => ipaddr.parseCIDR(cidr));
}
