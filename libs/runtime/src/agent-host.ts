/**
 * The program inside the sandbox. It runs one agent, asks the broker for everything it needs, and holds no secret.
 * It imports node builtins and the protocol only: a sandbox contains nothing else.
 */
import { Console } from 'node:console';
import { once } from 'node:events';
import type { AgentDefinition } from '@waxell/sdk';
import type { ModelMessage } from './model.js';
import {
  encodeFrame,
  FrameDecoder,
  type HostFrame,
  type LlmReply,
  MAX_BROKER_FRAME_BYTES,
  parseBrokerFrame,
  type ReplyFrame,
  type StartFrame,
} from './protocol.js';

// stdout carries frames, so nothing else may write there.
globalThis.console = new Console(process.stderr, process.stderr);

async function send(frame: HostFrame): Promise<void> {
  if (!process.stdout.write(encodeFrame(frame))) await once(process.stdout, 'drain');
}

/** One call at a time: the broker answers it before it accepts the next. */
class Broker {
  private lastCall = 0;
  private waiting: { readonly id: number; readonly settle: (reply: ReplyFrame) => void } | undefined;

  async llm(messages: readonly ModelMessage[]): Promise<LlmReply> {
    this.lastCall += 1;
    const id = this.lastCall;
    const answered = new Promise<ReplyFrame>((resolve) => {
      this.waiting = { id, settle: resolve };
    });
    await send({ type: 'call', id, kind: 'llm', messages });
    const reply = await answered;
    if ('error' in reply) throw new Error(reply.error.message);
    return reply.result;
  }

  settle(reply: ReplyFrame): void {
    if (this.waiting?.id !== reply.id) throw new Error(`reply to call ${reply.id}, which nobody waits for`);
    const { settle } = this.waiting;
    this.waiting = undefined;
    settle(reply);
  }
}

async function runAgent(broker: Broker, definition: AgentDefinition, input: unknown): Promise<unknown> {
  const { text } = await broker.llm([
    { role: 'system', content: definition.instructions },
    { role: 'user', content: typeof input === 'string' ? input : JSON.stringify(input) },
  ]);
  return text;
}

async function run(broker: Broker, { definition, input }: StartFrame): Promise<void> {
  try {
    await send({ type: 'result', output: await runAgent(broker, definition, input) });
  } catch (error) {
    await send({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

const broker = new Broker();
const decoder = new FrameDecoder(MAX_BROKER_FRAME_BYTES);
let started: Promise<void> | undefined;

for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
  for (const { value } of decoder.push(chunk)) {
    const frame = parseBrokerFrame(value);
    if (frame.type === 'reply') broker.settle(frame);
    else if (started) throw new Error('started twice');
    else started = run(broker, frame);
  }
}

// The broker closed our input, or its process died: nobody waits for this agent any more.
process.exit(0);
