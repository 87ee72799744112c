import { isIPv4, isIPv6 } from 'node:net';

/**
 * Whom an address is counted as: an IPv4 address, or the /64 of an IPv6 one, within which one caller has all addresses
 * (RFC 6177 section 2). What is no address is counted as one caller, whatever it says.
 */
export function networkOf(ip: string): string {
  if (isIPv4(ip)) return ip;
  if (!isIPv6(ip)) return isIPv4(withoutPort(ip)) ? withoutPort(ip) : 'unknown';
  const mapped = addressOf(ip);
  return isIPv4(mapped) ? mapped : groupsOf(ip).slice(0, 4).join(':');
}

/** The network that a caller moves in without going anywhere else: the /24 of an IPv4 address, the /48 of an IPv6 one. */
export function siteOf(ip: string): string {
  const address = addressOf(ip);
  if (isIPv4(address)) return address.split('.').slice(0, 3).join('.');
  return isIPv6(address) ? groupsOf(address).slice(0, 3).join(':') : 'unknown';
}

/** An address as others write it: IPv4 without the prefix that sockets of both kinds give it, IPv6 without its zone. */
export function addressOf(ip: string): string {
  const [address = ''] = ip.split('%');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? withoutPort(address);
}

/** Some proxies put the caller's port behind an IPv4 address. */
function withoutPort(ip: string): string {
  return ip.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
}

/** The eight groups of an IPv6 address (RFC 4291 section 2.2), in one way of writing. */
function groupsOf(ip: string): string[] {
  const [address = ''] = ip.split('%');
  // The last four bytes may be written as in IPv4; for the network they do not count.
  const [head = '', tail] = address.replace(/\d+\.\d+\.\d+\.\d+$/, '0:0').split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(8 - first.length - last.length).fill('0');
  return [...first, ...zeros, ...last].map((group) => Number.parseInt(group, 16).toString(16));
}
