import { isIPv6 } from 'node:net';

/** Whole numbers of a prefix: what one network of an office, a provider or a home has (/24, and /48 of IPv6). */
const PARTS_OF_4 = 3;
const PARTS_OF_6 = 3;

/** The network that an address is in, as text. What is no address is a network of its own. */
export function networkOf(address: string): string {
  const mapped = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(mapped)) return mapped.split('.').slice(0, PARTS_OF_4).join('.');
  // As URL writes it: lower case, no leading zeros; what `::` stands for is put back.
  const written = new URL(`http://[${mapped.replace(/%.*$/, '')}]`).hostname.slice(1, -1);
  const [before = '', after = ''] = written.split('::');
  const [head, tail] = [before, after].map((part) => part.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - (head?.length ?? 0) - (tail?.length ?? 0) }, () => '0');
  return [...(head ?? []), ...zeros, ...(tail ?? [])].slice(0, PARTS_OF_6).join(':');
}
