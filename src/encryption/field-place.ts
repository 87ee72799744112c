/** Where a value belongs. */
export interface FieldPlace {
  readonly tenant: string;
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

/** Tables and columns are few; tenants come and go. */
const PREFIXES_IN_MEMORY = 4_096;
const prefixes = new Map<string, Buffer>();
let lastPrefix: (Omit<FieldPlace, 'row'> & { suite: number; bytes: Buffer }) | undefined;

/**
 * What both layers of a stored value authenticate: the suite, and each part of its place with its length before it, so
 * that no two places share an encoding.
 */
export function associatedData({ tenant, table, column, row }: FieldPlace, suite: number): Buffer {
  const prefix = prefixOf(suite, tenant, table, column);
  const length = Buffer.byteLength(row);
  if (length > 0xffff) throw new Error('A row id is too long to be bound to.');
  const aad = Buffer.allocUnsafe(prefix.length + 2 + length);
  prefix.copy(aad);
  aad.writeUInt16BE(length, prefix.length);
  aad.write(row, prefix.length + 2);
  return aad;
}

function prefixOf(suite: number, tenant: string, table: string, column: string): Buffer {
  const last = lastPrefix;
  // Most values of a moment belong to the same column.
  if (last?.suite === suite && last.column === column && last.table === table && last.tenant === tenant)
    return last.bytes;
  // No part contains a NUL: two places that differ have different keys.
  const key = `${suite}\0${tenant}\0${table}\0${column}`;
  const bytes =
    prefixes.get(key) ??
    Buffer.concat([Buffer.of(suite), ...[tenant, table, column].flatMap((part) => lengthPrefixed(part))]);
  if (prefixes.size >= PREFIXES_IN_MEMORY) prefixes.clear();
  prefixes.set(key, bytes);
  lastPrefix = { suite, tenant, table, column, bytes };
  return bytes;
}

function lengthPrefixed(part: string): Buffer[] {
  if (part.includes('\0')) throw new Error('A place holds no NUL character.');
  const bytes = Buffer.from(part);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return [length, bytes];
}
