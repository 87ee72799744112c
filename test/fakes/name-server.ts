import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A name server over UDP (RFC 1035) that knows texts, and nothing else. */
export interface FakeNameServer {
  /** `address:port`. */
  readonly server: string;
  readonly texts: Map<string, readonly string[]>;
  /** Names that were asked for. */
  readonly asked: string[];
  /** Answers nothing while true. */
  silent: boolean;
  close(): Promise<void>;
}

const TXT = 16;

export async function startFakeNameServer(): Promise<FakeNameServer> {
  const socket = createSocket('udp4');
  const texts = new Map<string, readonly string[]>();
  const asked: string[] = [];
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const fake: FakeNameServer = {
    server: `127.0.0.1:${socket.address().port}`,
    texts,
    asked,
    silent: false,
    close: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
  socket.on('message', (query, from) => {
    if (fake.silent) return;
    const { name, end, type } = questionOf(query);
    asked.push(name);
    const found = texts.get(name.toLowerCase());
    const answers = type === TXT ? (found ?? []) : [];
    socket.send(answerTo(query.subarray(0, end), answers, found !== undefined), from.port, from.address);
  });
  return fake;
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
