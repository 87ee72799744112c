import type { AgentDefinition, RunError } from '@waxell/sdk';
import type { ModelMessage } from './model.js';

/**
 * The broker protocol: one JSON value per line, on two streams. The broker (trusted, in the worker) treats every byte
 * from the host (untrusted, in the sandbox) as hostile. This file also runs inside the sandbox, so it imports types
 * only.
 */

/** Longest frame that is accepted from a host whose definition asks for no more. */
export const MAX_FRAME_BYTES = 4 * 1_048_576;

/** What a host accepts from the broker, which it has to trust anyway: the largest input and reply fit in easily. */
export const MAX_BROKER_FRAME_BYTES = 64 * 1_048_576;

/**
 * Deepest nesting that is parsed. `JSON.parse` itself survives millions of levels, but whatever walks the value later
 * (`JSON.stringify` included) recurses and would overflow the worker's stack.
 */
export const MAX_NESTING = 128;

/** Longest failure message that a host may report; the rest is cut off. */
const MAX_FAILURE_CHARS = 2_000;

const MAX_MESSAGES = 10_000;

export interface StartFrame {
  readonly type: 'start';
  readonly definition: AgentDefinition;
  readonly input: unknown;
}

/** What a finished model call gives to the agent. */
export interface LlmReply {
  readonly text: string;
}

export type ReplyFrame =
  | { readonly type: 'reply'; readonly id: number; readonly result: LlmReply }
  | { readonly type: 'reply'; readonly id: number; readonly error: RunError };

export type BrokerFrame = StartFrame | ReplyFrame;

/**
 * A host asks the broker to do something for it. Ids count from 1 without gaps. A call names messages only: which
 * model answers, where and with which key is the broker's decision. Further kinds become further members.
 */
export interface CallFrame {
  readonly type: 'call';
  readonly id: number;
  readonly kind: 'llm';
  readonly messages: readonly ModelMessage[];
}

export type HostFrame =
  | CallFrame
  | { readonly type: 'result'; readonly output: unknown }
  | { readonly type: 'failed'; readonly message: string };

/** The other side broke the protocol. The message describes how, and never quotes what it sent. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

export function encodeFrame(frame: BrokerFrame | HostFrame): string {
  return `${JSON.stringify(frame)}\n`;
}

/** One frame as it arrived: the value, and how many bytes of JSON it took. */
export interface Frame {
  readonly value: unknown;
  readonly bytes: number;
}

/** Cuts a byte stream into frames. Holds at most `maxBytes`, however the bytes are spread over chunks. */
export class FrameDecoder {
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true });
  // One growing buffer, not a list of chunks: a host that writes single bytes would make a list cost 100 times more.
  private buffer = Buffer.alloc(0);
  private length = 0;

  constructor(private readonly maxBytes: number = MAX_FRAME_BYTES) {}

  /** Yields the frames that `chunk` completes. Throws a `ProtocolError`; the decoder is of no use afterwards. */
  *push(chunk: Uint8Array): Generator<Frame> {
    let rest = chunk;
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
      this.append(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      yield this.take();
    }
    this.append(rest);
  }

  /** Call at the end of the stream: a frame that was begun must have been finished. */
  end(): void {
    if (this.length > 0) throw new ProtocolError('the stream ended in the middle of a frame');
  }

  private append(part: Uint8Array): void {
    const length = this.length + part.length;
    if (length > this.maxBytes) throw new ProtocolError(`a frame is longer than ${this.maxBytes} bytes`);
    if (length > this.buffer.length) {
      const grown = Buffer.alloc(Math.min(this.maxBytes, Math.max(length, 2 * this.buffer.length)));
      this.buffer.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    this.buffer.set(part, this.length);
    this.length = length;
  }

  private take(): Frame {
    const line = this.buffer.subarray(0, this.length);
    this.length = 0;
    refuseDeepNesting(line);
    try {
      return { value: JSON.parse(this.utf8.decode(line)) as unknown, bytes: line.length };
    } catch {
      throw new ProtocolError('a frame is not valid JSON in UTF-8');
    }
  }
}

function refuseDeepNesting(json: Uint8Array): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (inString) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      depth += 1;
      if (depth > MAX_NESTING) throw new ProtocolError(`a frame is nested deeper than ${MAX_NESTING} levels`);
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1;
  }
}

/** Checks what a host sent and rebuilds it from the known fields alone. Throws a `ProtocolError`. */
export function parseHostFrame(value: unknown): HostFrame {
  const frame = record(value, 'a frame');
  switch (frame['type']) {
    case 'call':
      return parseCall(frame);
    case 'result':
      if (!('output' in frame)) throw new ProtocolError('a result has no output');
      return { type: 'result', output: frame['output'] };
    case 'failed': {
      if (typeof frame['message'] !== 'string') throw new ProtocolError('a failure has no message');
      return { type: 'failed', message: printable(frame['message']) };
    }
    default:
      throw new ProtocolError('a frame is of an unknown type');
  }
}

function parseCall(frame: Record<string, unknown>): CallFrame {
  const { id, kind, messages } = frame;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 1)
    throw new ProtocolError('a call has no valid id');
  if (kind !== 'llm') throw new ProtocolError('a call is of an unknown kind');
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > MAX_MESSAGES) {
    throw new ProtocolError(`a model call needs 1 to ${MAX_MESSAGES} messages`);
  }
  return { type: 'call', id, kind, messages: messages.map(parseMessage) };
}

function parseMessage(value: unknown): ModelMessage {
  const { role, content } = record(value, 'a message');
  if (role !== 'system' && role !== 'user' && role !== 'assistant') {
    throw new ProtocolError('a message has an unknown role');
  }
  if (typeof content !== 'string') throw new ProtocolError('a message has no text');
  return { role, content };
}

/** For the host: the broker is trusted, so this tells frames apart and leaves their inside alone. */
export function parseBrokerFrame(value: unknown): BrokerFrame {
  if (isBrokerFrame(value)) return value;
  throw new ProtocolError('a frame is of an unknown type');
}

function isBrokerFrame(value: unknown): value is BrokerFrame {
  return isRecord(value) && (value['type'] === 'start' || value['type'] === 'reply');
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (isRecord(value)) return value;
  throw new ProtocolError(`${what} is not an object`);
}

/** The message ends up in logs and terminals: control characters would let a sandbox write escape sequences there. */
function printable(message: string): string {
  return message.slice(0, MAX_FAILURE_CHARS).replaceAll(/[^\P{C}\n]/gu, ' ');
}
