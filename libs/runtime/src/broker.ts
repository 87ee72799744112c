import { once } from 'node:events';
import type { AgentDefinition, RunError, RunEventBody, Usage } from '@waxell/sdk';
import { firstOf } from './abortable.js';
import type { Checkpoints } from './checkpoints.js';
import { fingerprint } from './fingerprint.js';
import { ModelCallError } from './model-call-error.js';
import { ModelTextTooLong, readAnswer } from './model-call.js';
import type { ModelProvider } from './model.js';
import {
  type BrokerFrame,
  type CallFrame,
  encodeFrame,
  type Frame,
  FrameDecoder,
  MAX_FRAME_BYTES,
  parseHostFrame,
  ProtocolError,
} from './protocol.js';
import { type CallResult, parseCallResult } from './call-result.js';
import type { SandboxProcess } from './sandbox.js';

/** How a run ends. `broken` is our own infrastructure: the run is not over, it is to be tried again. */
export type Ending =
  | { readonly type: 'completed'; readonly output: unknown }
  | { readonly type: 'failed'; readonly error: RunError; readonly cause?: unknown }
  | { readonly type: 'cancelled' }
  | { readonly type: 'broken'; readonly error: unknown };

export interface BrokerOptions {
  readonly definition: AgentDefinition;
  readonly input: unknown;
  readonly process: SandboxProcess;
  readonly provider: ModelProvider;
  readonly apiKey?: string | undefined;
  readonly checkpoints: Checkpoints;
  readonly finishedCalls: ReadonlyMap<number, { readonly fingerprint: string; readonly result: CallResult }>;
  readonly emit: (body: RunEventBody) => Promise<void>;
}

/** How long a sandbox's output may stay open after its process is gone. */
const DRAIN_MS = 2_000;

/** A definition may allow outputs that are longer than an ordinary frame; the rest is the frame's own members. */
const frameLimit = (definition: AgentDefinition) =>
  Math.max(MAX_FRAME_BYTES, definition.limits.maxOutputBytes + 1_024);

/**
 * The only door out of a sandbox. Whatever goes through it is decided here, from the definition and not from what the
 * sandbox says. Serves one run, once.
 */
export class Broker {
  /** Aborted when the run has ended, for whatever reason. */
  readonly signal: AbortSignal;
  private readonly stop = new AbortController();
  private ending: Ending | undefined;
  private readonly spent = { inputTokens: 0, outputTokens: 0, modelCalls: 0 };
  private startedCalls = 0;
  private callInProgress: Promise<void> | undefined;
  private lastCallError: { readonly error: RunError; readonly cause?: unknown } | undefined;

  constructor(private readonly options: BrokerOptions) {
    this.signal = this.stop.signal;
  }

  get usage(): Usage {
    return { ...this.spent };
  }

  /** Ends the run, and with it the sandbox, unless it has ended already. */
  end(ending: Ending): void {
    this.ending ??= ending;
    this.options.process.kill();
    this.stop.abort();
  }

  /** Runs the agent to its end. When this returns, nothing is under way any more. Never rejects. */
  async serve(): Promise<Ending> {
    const { process, definition, input } = this.options;
    process.toSandbox.on('error', this.onStreamError);
    process.fromSandbox.on('error', this.onStreamError);
    const reading = this.readFrames();
    void process.exited.then(() => this.onExit(reading));
    try {
      await this.send({ type: 'start', definition, input });
    } catch (error) {
      this.end({ type: 'broken', error });
    }
    if (!this.signal.aborted) await once(this.signal, 'abort');
    process.toSandbox.destroy();
    process.fromSandbox.destroy();
    await reading;
    await this.callInProgress;
    return this.ending ?? { type: 'broken', error: new Error('the run ended without an ending') };
  }

  private readonly onStreamError = (cause: Error) => {
    this.fail({ code: 'SANDBOX_FAILED', message: 'The connection to the sandbox was lost.' }, cause);
  };

  private fail(error: RunError, cause?: unknown): void {
    this.end({ type: 'failed', error, cause });
  }

  /** The sandbox can still hold bytes that it wrote before it exited; it cannot take for ever to hand them over. */
  private async onExit(reading: Promise<void>): Promise<void> {
    if ((await firstOf(reading, this.signal, DRAIN_MS)) === 'due') await this.failUnfinished();
  }

  private async failUnfinished(): Promise<void> {
    const exit = await firstOf(this.options.process.exited, this.signal, DRAIN_MS);
    const how = typeof exit === 'object' ? ` (${exit.value.signal ?? `exit code ${exit.value.code}`})` : '';
    this.fail({ code: 'SANDBOX_FAILED', message: `The sandbox ended before the agent gave a result${how}.` });
  }

  private async readFrames(): Promise<void> {
    const decoder = new FrameDecoder(frameLimit(this.options.definition));
    try {
      for await (const chunk of this.options.process.fromSandbox as AsyncIterable<Uint8Array>) {
        for (const frame of decoder.push(chunk)) {
          if (this.signal.aborted) return;
          this.receive(frame);
        }
      }
      decoder.end();
      await this.failUnfinished();
    } catch (cause) {
      if (this.signal.aborted) return;
      const reason = cause instanceof ProtocolError ? `: ${cause.message}` : '';
      this.fail({ code: 'SANDBOX_FAILED', message: `The sandbox broke the protocol${reason}.` }, cause);
    }
  }

  private receive(received: Frame): void {
    const frame = parseHostFrame(received.value);
    if (this.callInProgress) throw new ProtocolError('a frame came while a call was still unanswered');
    switch (frame.type) {
      case 'call':
        this.callInProgress = this.answer(frame);
        return;
      case 'result':
        this.complete(frame.output);
        return;
      case 'failed':
        this.failAsReported(frame.message);
    }
  }

  private complete(output: unknown): void {
    const { maxOutputBytes } = this.options.definition.limits;
    if (Buffer.byteLength(JSON.stringify(output)) > maxOutputBytes) {
      this.fail({ code: 'LIMIT_EXCEEDED', message: `The output is larger than ${maxOutputBytes} bytes.` });
    } else this.end({ type: 'completed', output });
  }

  /** An agent that gives up because a call failed reports that call's message; then its code is known as well. */
  private failAsReported(message: string): void {
    const known = this.lastCallError;
    if (known?.error.message === message) this.fail(known.error, known.cause);
    else this.fail({ code: 'SANDBOX_FAILED', message: `The agent failed: ${message}` });
  }

  /** Never rejects: whatever goes wrong here ends the run. */
  private async answer(call: CallFrame): Promise<void> {
    try {
      const result = await this.resultOf(call);
      if (result === undefined) return;
      // Cleared before the reply leaves: the host may answer it at once.
      this.callInProgress = undefined;
      await this.send(
        'error' in result
          ? { type: 'reply', id: call.id, error: result.error }
          : { type: 'reply', id: call.id, result: { text: result.text } },
      );
    } catch (error) {
      if (error instanceof ProtocolError) {
        this.fail(
          { code: 'SANDBOX_FAILED', message: `The sandbox broke the protocol: ${error.message}.` },
          error,
        );
      } else this.end({ type: 'broken', error });
    }
  }

  /** Undefined when the run has ended meanwhile. */
  private async resultOf(call: CallFrame): Promise<CallResult | undefined> {
    const { definition, finishedCalls, checkpoints } = this.options;
    if (call.id !== this.startedCalls + 1)
      throw new ProtocolError(`call ${this.startedCalls + 1} was to come next`);
    this.startedCalls += 1;
    const { maxModelCalls } = definition.limits;
    if (this.startedCalls > maxModelCalls) {
      this.fail({
        code: 'LIMIT_EXCEEDED',
        message: `The agent asked for more than ${maxModelCalls} model calls.`,
      });
      return undefined;
    }

    const asked = fingerprint({ kind: call.kind, model: definition.model, messages: call.messages });
    const finished = finishedCalls.get(call.id);
    if (finished && finished.fingerprint !== asked) {
      const message = `Call ${call.id} is not the call that an earlier attempt of this run made, so the run cannot be resumed. An agent must ask for the same calls in the same order every time.`;
      this.fail({ code: 'SANDBOX_FAILED', message });
      return undefined;
    }
    if (finished) return this.settle(finished.result);

    const outcome = await this.callModel(call);
    if (outcome === undefined || this.signal.aborted) return undefined;
    const { result, cause } = outcome;
    const announce = async (): Promise<void> => {
      if ('error' in result) return;
      const usage = { ...result.usage, modelCalls: 1 };
      await this.options.emit({ type: 'model.completed', call: call.id, usage });
    };
    // Before the reply, so that a restarted run never sees a different answer to a question it has acted upon.
    await checkpoints.save({ call: call.id, fingerprint: asked, result }, announce);
    return this.settle(result, cause);
  }

  private settle(result: CallResult, cause?: unknown): CallResult {
    if ('error' in result) this.lastCallError = { error: result.error, cause };
    else {
      this.spent.inputTokens += result.usage.inputTokens;
      this.spent.outputTokens += result.usage.outputTokens;
      this.spent.modelCalls += 1;
    }
    return result;
  }

  private async callModel(
    call: CallFrame,
  ): Promise<{ readonly result: CallResult; readonly cause?: unknown } | undefined> {
    const { provider, definition, apiKey } = this.options;
    let storageFailed = false;
    const emit = async (body: RunEventBody) => {
      try {
        await this.options.emit(body);
      } catch (error) {
        storageFailed = true;
        throw error;
      }
    };
    try {
      await emit({ type: 'model.started', call: call.id, model: definition.model.name });
      const request = { model: definition.model, messages: call.messages };
      const chunks = provider.stream(request, {
        signal: this.signal,
        ...(apiKey !== undefined && { apiKey }),
      });
      const answer = await readAnswer(chunks, call.id, emit, this.signal);
      return answer === 'aborted' ? undefined : { result: parseCallResult(answer) };
    } catch (error) {
      if (storageFailed) throw error;
      if (error instanceof ModelCallError)
        return { result: { error: { code: error.code, message: error.message } }, cause: error };
      if (error instanceof ModelTextTooLong) {
        this.fail({ code: 'LIMIT_EXCEEDED', message: 'The model gave more text than one call may give.' });
      } else {
        this.fail({ code: 'INTERNAL', message: 'The model call failed for an unexpected reason.' }, error);
      }
      return undefined;
    }
  }

  private async send(frame: BrokerFrame): Promise<void> {
    const { toSandbox } = this.options.process;
    if (this.signal.aborted || toSandbox.write(encodeFrame(frame))) return;
    // A sandbox that does not read its input must not hold the run beyond its limits.
    await once(toSandbox, 'drain', { signal: this.signal }).catch(() => {});
  }
}
