/** Writes small files in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), version 2.0, to test readers with. */

type Value = string | number | readonly Value[] | { readonly [name: string]: Value };
interface Node {
  children: [Node | number | undefined, Node | number | undefined];
}

const MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1');
const RECORD_BITS = 24;

/** @param countries networks in CIDR notation, and the country of each: `{ '203.0.113.0/24': 'DE', '2001:db8::/32': 'FR' }` */
export function countryDatabase(
  countries: Readonly<Record<string, string>>,
  databaseType = 'Test-Country',
): Buffer {
  const root: Node = { children: [undefined, undefined] };
  const data: Buffer[] = [];
  let length = 0;
  for (const [network, country] of Object.entries(countries)) {
    insert(root, bitsOf(network), length);
    const record = encode({ country: { iso_code: country } });
    data.push(record);
    length += record.length;
  }
  const nodes = numbered(root);
  const indexes = new Map(nodes.map((node, index) => [node, index]));
  const tree = Buffer.concat(
    nodes.flatMap(({ children }) =>
      children.map((child) => {
        // A record is a node, or «nothing», or a place in the data, 16 bytes of separator counted in.
        const value =
          child === undefined
            ? nodes.length
            : typeof child === 'number'
              ? nodes.length + 16 + child
              : (indexes.get(child) ?? 0);
        const record = Buffer.alloc(RECORD_BITS / 8);
        record.writeUIntBE(value, 0, record.length);
        return record;
      }),
    ),
  );
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_700_000_000,
    database_type: databaseType,
    description: { en: 'For tests' },
    ip_version: 6,
    languages: ['en'],
    node_count: nodes.length,
    record_size: RECORD_BITS,
  });
  return Buffer.concat([tree, Buffer.alloc(16), ...data, MARKER, metadata]);
}

/** IPv4 networks stand in the IPv6 tree below ::/96. */
function bitsOf(network: string): number[] {
  const [address = '', prefix = '0'] = network.split('/');
  const isV6 = address.includes(':');
  const groups = isV6 ? expanded(address) : address.split('.').map(Number);
  const bits = groups.flatMap((group) => toBits(group, isV6 ? 16 : 8)).slice(0, Number(prefix));
  return isV6 ? bits : [...Array<number>(96).fill(0), ...bits];
}

function expanded(address: string): number[] {
  const [head = '', tail = ''] = address.split('::');
  const [first, last] = [head, tail].map((part) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)),
  ) as [number[], number[]];
  return [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function toBits(value: number, size: number): number[] {
  return Array.from({ length: size }, (_, at) => (value >> (size - 1 - at)) & 1);
}

function insert(root: Node, bits: readonly number[], place: number): void {
  let node = root;
  bits.forEach((bit, at) => {
    const side = bit as 0 | 1;
    if (at === bits.length - 1) {
      node.children[side] = place;
      return;
    }
    const next = node.children[side];
    const child = typeof next === 'object' ? next : { children: [undefined, undefined] as Node['children'] };
    node.children[side] = child;
    node = child;
  });
}

function numbered(root: Node): Node[] {
  const nodes = [root];
  for (const node of nodes)
    nodes.push(...node.children.filter((child): child is Node => typeof child === 'object'));
  return nodes;
}

function encode(value: Value): Buffer {
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return Buffer.concat([control(2, text.length), text]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return Buffer.concat([control(6, 4), bytes]);
  }
  if (Array.isArray(value))
    return Buffer.concat([control(11, value.length), ...(value as readonly Value[]).map(encode)]);
  const entries = Object.entries(value as { readonly [name: string]: Value });
  return Buffer.concat([
    control(7, entries.length),
    ...entries.flatMap(([name, item]) => [encode(name), encode(item)]),
  ]);
}

/** Types above 7 are told in a second byte; sizes from 29 on would need more bytes, and do not occur here. */
function control(type: number, size: number): Buffer {
  if (size >= 29) throw new Error('Too large for this writer.');
  return type > 7 ? Buffer.from([size, type - 7]) : Buffer.from([(type << 5) | size]);
}
