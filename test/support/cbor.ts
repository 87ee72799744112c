export type Cbor = number | string | Buffer | Cbor[] | Map<number | string, Cbor>;

/** RFC 8949, as far as authenticators need it: integers, bytes, text, lists and maps of definite length. */
export function cbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string')
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  const entries = [...value].flatMap(([key, one]) => [cbor(key), cbor(one)]);
  return Buffer.concat([head(5, value.size), ...entries]);
}

function head(major: number, length: number): Buffer {
  const type = major << 5;
  if (length < 24) return Buffer.of(type | length);
  if (length < 0x100) return Buffer.of(type | 24, length);
  const long = Buffer.alloc(length < 0x1_0000 ? 3 : 5);
  if (long.length === 3) {
    long.writeUInt8(type | 25);
    long.writeUInt16BE(length, 1);
  } else {
    long.writeUInt8(type | 26);
    long.writeUInt32BE(length, 1);
  }
  return long;
}
