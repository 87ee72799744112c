import { BlockList, isIP } from 'node:net';
import { registerDecorator } from 'class-validator';
import { addressOf } from '../limits/index.js';

const FAMILY = { 4: 'ipv4', 6: 'ipv6' } as const;
const BITS = { 4: 32, 6: 128 } as const;

/** Whether it is a block of addresses as RFC 4632 and 4291 write them (`203.0.113.0/24`, `2001:db8::/32`), or one address. */
export function isNetwork(text: unknown): text is string {
  return typeof text === 'string' && parsed(text) !== undefined;
}

/** Each element has to be a network. */
export function AreNetworks(): PropertyDecorator {
  return (target, key) =>
    registerDecorator({
      name: 'areNetworks',
      target: target.constructor,
      propertyName: String(key),
      options: { each: true },
      validator: {
        validate: isNetwork,
        defaultMessage: () =>
          `each of ${String(key)} must be a block of addresses such as 203.0.113.0/24 or 2001:db8::/32`,
      },
    });
}

/** From where a credential may be used: everywhere, without networks. Compiled once, and asked by every request. */
export class AllowedNetworks {
  readonly #blocks = new BlockList();

  constructor(networks: readonly string[]) {
    for (const text of networks) {
      const network = parsed(text);
      if (network) this.#blocks.addSubnet(network.address, network.bits, FAMILY[network.version]);
    }
  }

  /** What is no address, as behind a proxy that says none, is nowhere. */
  has(ip: string): boolean {
    const address = addressOf(ip);
    const version = isIP(address);
    return (version === 4 || version === 6) && this.#blocks.check(address, FAMILY[version]);
  }
}

function parsed(text: string): { address: string; bits: number; version: 4 | 6 } | undefined {
  const [address = '', bits, ...more] = text.split('/');
  const version = isIP(address);
  if ((version !== 4 && version !== 6) || more.length > 0 || address.includes('%')) return undefined;
  if (bits === undefined) return { address, bits: BITS[version], version };
  return /^\d{1,3}$/.test(bits) && Number(bits) <= BITS[version]
    ? { address, bits: Number(bits), version }
    : undefined;
}
