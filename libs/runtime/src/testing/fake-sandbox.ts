import { PassThrough } from 'node:stream';
import {
  encodeFrame,
  FrameDecoder,
  type HostFrame,
  type BrokerFrame,
  parseBrokerFrame,
} from '../protocol.js';
import type { Sandbox, SandboxProcess } from '../sandbox.js';

/** What a test's host program works with. */
export interface HostSide {
  /** The broker's next frame; undefined once the broker has closed the stream. */
  receive(): Promise<BrokerFrame | undefined>;
  send(frame: HostFrame): void;
  sendRaw(bytes: string | Uint8Array): void;
  exit(code: number): void;
}

/** A sandbox in this process, whose host is a function of the test. */
export class FakeSandbox implements Sandbox {
  readonly processes: { killed: number; readonly process: SandboxProcess }[] = [];

  constructor(private readonly host: (side: HostSide) => Promise<void>) {}

  async launch(): Promise<SandboxProcess> {
    const toSandbox = new PassThrough();
    const fromSandbox = new PassThrough();
    const exit = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    const entry = {
      killed: 0,
      process: {
        toSandbox,
        fromSandbox,
        exited: exit.promise,
        kill: () => {
          entry.killed += 1;
          exit.resolve({ code: null, signal: 'SIGKILL' });
        },
      },
    };
    this.processes.push(entry);
    const frames = brokerFrames(toSandbox);
    const side: HostSide = {
      receive: async () => (await frames.next()).value,
      send: (frame) => side.sendRaw(encodeFrame(frame)),
      sendRaw: (bytes) => {
        if (!fromSandbox.destroyed) fromSandbox.write(bytes);
      },
      exit: (code) => {
        fromSandbox.end();
        exit.resolve({ code, signal: null });
      },
    };
    void this.host(side).catch(() => side.exit(1));
    return entry.process;
  }
}

async function* brokerFrames(stream: PassThrough): AsyncGenerator<BrokerFrame, undefined> {
  const decoder = new FrameDecoder();
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      for (const { value } of decoder.push(chunk)) yield parseBrokerFrame(value);
    }
  } catch {
    // The broker destroys the stream when the run has ended.
  }
  return undefined;
}
