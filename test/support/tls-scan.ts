import { GROUPS, offer, VERSIONS, type Reply, type Version } from './client-hello.js';

/** Every range of numbers in which IANA has registered suites, and those of TLS 1.3. */
const RANGES = [
  [0x0000, 0x00ff],
  [0x1301, 0x1307],
  [0xc001, 0xc0ff],
  [0xcca8, 0xccae],
  [0xd001, 0xd005],
  // Never registered, but once in use: GOST, and the draft's ChaCha20.
  [0x0080, 0x0083],
  [0xcc13, 0xcc15],
  [0xff80, 0xff87],
] as const;
/** These two are signals, no suites (RFC 5746, RFC 7507). */
const SIGNALS = new Set([0x00ff, 0x5600]);
const AT_ONCE = 16;

export const ALL_SUITES: readonly number[] = [
  ...new Set(RANGES.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, at) => from + at))),
].filter((suite) => !SIGNALS.has(suite));

/** Which suites a server accepts in a version, each asked for by itself. Named in hexadecimal, sorted. */
export async function acceptedSuites(port: number, version: Version, suites = ALL_SUITES): Promise<string[]> {
  const accepted: string[] = [];
  const waiting = [...suites];
  const ask = async (): Promise<void> => {
    for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) {
      const reply = await offer(port, { version, suites: [suite] });
      if (reply.kind === 'hello' && reply.version === VERSIONS[version]) accepted.push(hex(suite));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, ask));
  return accepted.sort();
}

/** Which groups a server agrees on a key in, with a suite that it accepts. */
export async function acceptedGroups(port: number, suite: number): Promise<string[]> {
  const accepted: string[] = [];
  for (const [name, group] of Object.entries(GROUPS)) {
    const reply = await offer(port, { version: 'TLS 1.2', suites: [suite], groups: [group] });
    if (reply.kind === 'hello') accepted.push(name);
  }
  return accepted;
}

/** What a server says to all suites at once. */
export function answerTo(port: number, version: Version): Promise<Reply> {
  return offer(port, { version, suites: ALL_SUITES });
}

function hex(suite: number): string {
  return suite.toString(16).padStart(4, '0');
}
