import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

/** Protocol versions as they stand in a hello (RFC 8446, 4.2.1). */
export const VERSIONS = {
  'SSL 3.0': 0x0300,
  'TLS 1.0': 0x0301,
  'TLS 1.1': 0x0302,
  'TLS 1.2': 0x0303,
  'TLS 1.3': 0x0304,
} as const;
export type Version = keyof typeof VERSIONS;

export const GROUPS = {
  secp224r1: 21,
  'P-256': 23,
  'P-384': 24,
  'P-521': 25,
  X25519: 29,
  ffdhe2048: 256,
} as const;

export interface Offer {
  readonly version: Version;
  /** IANA's numbers. */
  readonly suites: readonly number[];
  readonly groups?: readonly number[];
}

export type Reply =
  | { readonly kind: 'hello'; readonly version: number; readonly suite: number }
  /** RFC 8446 section 6: 40 handshake_failure, 47 illegal_parameter, 70 protocol_version, 71 insufficient_security. */
  | { readonly kind: 'alert'; readonly description: number }
  | { readonly kind: 'closed' };

const LIMIT_MS = 10_000;
const HANDSHAKE = 22;
const ALERT = 21;
const SERVER_HELLO = 2;
/** A HelloRetryRequest is a ServerHello with this beginning of its random value: the suite was accepted. */
const SUPPORTED_VERSIONS = 43;

/**
 * Offers a TLS server exactly what is asked for, and tells what it chose. Written byte by byte: the TLS libraries of
 * today do not offer what a scan looks for, so that with them the client would refuse, and nobody would have asked.
 */
export function offer(port: number, wanted: Offer): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(clientHello(wanted)));
    let received = Buffer.alloc(0);
    const done = (reply: Reply): void => {
      socket.destroy();
      resolve(reply);
    };
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error('The server did not answer a ClientHello.')));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const reply = read(received);
      if (reply) done(reply);
    });
    socket.on('close', () => done({ kind: 'closed' }));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') done({ kind: 'closed' });
      else reject(error);
    });
  });
}

function clientHello({ version, suites, groups = Object.values(GROUPS) }: Offer): Buffer {
  const wanted = VERSIONS[version];
  const legacy = Math.min(wanted, VERSIONS['TLS 1.2']);
  const extensions = [
    extension(10, list(groups.map(u16))),
    extension(11, Buffer.from([1, 0])),
    // What certificates may be signed with; among them SHA-1, so that nothing is refused for want of it.
    extension(13, list([0x0403, 0x0503, 0x0804, 0x0805, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201].map(u16))),
    extension(23, Buffer.alloc(0)),
    extension(0xff01, Buffer.from([0])),
    ...(version === 'TLS 1.3' ? forTls13() : []),
  ];
  const body = Buffer.concat([
    u16(legacy),
    randomBytes(32),
    Buffer.from([0]),
    list(suites.map(u16)),
    Buffer.from([1, 0]),
    // SSL 3.0 knew no extensions.
    ...(version === 'SSL 3.0' ? [] : [list(extensions)]),
  ]);
  const handshake = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  return Buffer.concat([
    Buffer.from([HANDSHAKE]),
    u16(Math.min(legacy, 0x0301)),
    u16(handshake.length),
    handshake,
  ]);
}

function forTls13(): Buffer[] {
  // 32 bytes at random are a public key of X25519.
  const share = Buffer.concat([u16(GROUPS.X25519), u16(32), randomBytes(32)]);
  return [
    extension(SUPPORTED_VERSIONS, Buffer.concat([Buffer.from([2]), u16(VERSIONS['TLS 1.3'])])),
    extension(51, list([share])),
  ];
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function list(items: readonly Buffer[]): Buffer {
  const content = Buffer.concat(items);
  return Buffer.concat([u16(content.length), content]);
}

function extension(type: number, content: Buffer): Buffer {
  return Buffer.concat([u16(type), list([content])]);
}

/** The first record, once it is there whole. */
function read(bytes: Buffer): Reply | undefined {
  if (bytes.length < 5 || bytes.length < 5 + bytes.readUInt16BE(3)) return undefined;
  const type = bytes[0];
  if (type === ALERT) return { kind: 'alert', description: bytes[6] ?? -1 };
  if (type !== HANDSHAKE || bytes[5] !== SERVER_HELLO) throw new Error('This is no answer to a ClientHello.');
  const session = bytes[43] ?? 0;
  const suite = bytes.readUInt16BE(44 + session);
  return { kind: 'hello', version: negotiated(bytes, 47 + session), suite };
}

/** The version field says 1.2 at most; 1.3 stands in an extension. */
function negotiated(bytes: Buffer, extensions: number): number {
  const end = 9 + bytes.readUIntBE(6, 3);
  for (let at = extensions + 2; at + 4 <= end; at += 4 + bytes.readUInt16BE(at + 2))
    if (bytes.readUInt16BE(at) === SUPPORTED_VERSIONS) return bytes.readUInt16BE(at + 4);
  return bytes.readUInt16BE(9);
}
