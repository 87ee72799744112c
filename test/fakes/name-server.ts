import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { startFakeServer } from './http-server.js';

/** What of a name server whoever asks it and whoever tells it what to answer know: both may be in other processes. */
export interface NameServerAddress {
  /** `address:port`. */
  readonly server: string;
  readonly control: string;
}

/** A name server over UDP (RFC 1035) that knows texts, and nothing else. */
export interface FakeNameServer extends NameServerAddress {
  /** The texts of a name from now on. */
  set(name: string, texts: readonly string[]): Promise<void>;
  /** Answers nothing to questions for the name until it has texts again: one server is many tests'. */
  silence(name: string): Promise<void>;
}

export interface OwnNameServer extends FakeNameServer {
  close(): Promise<void>;
}

const TXT = 16;

export async function startFakeNameServer(): Promise<OwnNameServer> {
  const known = new Map<string, readonly string[] | 'silent'>();
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, end, type } = questionOf(query);
    const found = known.get(name.toLowerCase());
    if (found === 'silent') return;
    const answers = type === TXT ? (found ?? []) : [];
    socket.send(answerTo(query.subarray(0, end), answers, found !== undefined), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const control = await startFakeServer((_request, body) => {
    for (const [name, answer] of Object.entries(JSON.parse(body.toString()) as Told)) known.set(name, answer);
    return { status: 204 };
  });
  return {
    ...fakeNameServerAt({ server: `127.0.0.1:${socket.address().port}`, control: control.url }),
    close: async () => {
      socket.close();
      await Promise.all([once(socket, 'close'), control.close()]);
    },
  };
}

type Told = Record<string, readonly string[] | 'silent'>;

/** One that somebody else has started. */
export function fakeNameServerAt({ server, control }: NameServerAddress): FakeNameServer {
  const tell = async (told: Told): Promise<void> => {
    const { ok } = await fetch(control, { method: 'POST', body: JSON.stringify(told) });
    if (!ok) throw new Error('The name server does not know what it is told.');
  };
  return {
    server,
    control,
    set: (name, texts) => tell({ [name]: texts }),
    silence: (name) => tell({ [name]: 'silent' }),
  };
}

function questionOf(query: Buffer): { name: string; end: number; type: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.subarray(at + 1, at + 1 + length).toString('ascii'));
    at += 1 + length;
  }
  return { name: labels.join('.'), end: at + 5, type: query.readUInt16BE(at + 1) };
}

/** The question as it was asked, and its answers: each a pointer to the name, type, class, time to live, and the text in parts. */
function answerTo(question: Buffer, texts: readonly string[], exists: boolean): Buffer {
  const head = Buffer.from(question);
  head.writeUInt16BE(exists ? 0x8180 : 0x8183, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(texts.length, 6);
  head.writeUInt32BE(0, 8);
  const records = texts.map((text) => {
    const parts = (text.match(/.{1,200}/g) ?? ['']).map((part) =>
      Buffer.concat([Buffer.from([part.length]), Buffer.from(part)]),
    );
    const data = Buffer.concat(parts);
    const fixed = Buffer.from([0xc0, 0x0c, 0, TXT, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 0xff]);
    return Buffer.concat([fixed, data]);
  });
  return Buffer.concat([head, ...records]);
}
