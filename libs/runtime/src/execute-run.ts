import type { AgentDefinition, RunError, RunEventBody, Usage } from '@waxell/sdk';
import { Broker } from './broker.js';
import { parseCallResult } from './call-result.js';
import type { Checkpoints } from './checkpoints.js';
import type { ModelProvider } from './model.js';
import type { Sandbox, SandboxLimits } from './sandbox.js';

/** Reason of the abort signal that means: the tenant wants this run to end. Any other reason means: not here, not now. */
export const CANCELLED = 'cancelled';

export interface ExecuteRunOptions {
  readonly definition: AgentDefinition;
  /** Any JSON value. */
  readonly input: unknown;
  readonly sandbox: Sandbox;
  readonly provider: ModelProvider;
  /** The tenant's own key for the model's provider. Reaches the provider, never the sandbox. */
  readonly apiKey?: string | undefined;
  readonly checkpoints: Checkpoints;
  /** Stores one event; the run waits for it. A rejection ends the attempt, as no event may be lost. */
  readonly emit: (body: RunEventBody) => Promise<void>;
  readonly signal: AbortSignal;
  /** Counts from 1; above 1, an earlier worker did not finish this run. */
  readonly attempt: number;
  readonly sandboxLimits?: SandboxLimits;
}

/** `cause` is for logs: it may name addresses and status codes that a tenant has no business with. */
export type RunOutcome =
  | { readonly status: 'COMPLETED'; readonly output: unknown; readonly usage: Usage }
  | { readonly status: 'FAILED'; readonly error: RunError; readonly usage: Usage; readonly cause?: unknown }
  | { readonly status: 'CANCELLED'; readonly usage: Usage };

/** The worker stopped before the run was over. Nothing is wrong with the run: another attempt resumes it. */
export class RunInterrupted extends Error {
  override readonly name = 'RunInterrupted';
}

const DEFAULT_SANDBOX_LIMITS: SandboxLimits = { memoryBytes: 256 * 1_048_576 };
const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, modelCalls: 0 };

/**
 * Runs an agent to a terminal status and returns it; emits `run.started` and everything up to, but without, the
 * terminal event: the caller stores that one together with the status. Rejects when the run is not over but this
 * attempt is: the worker stops (`RunInterrupted`), the sandbox cannot be launched, or events or checkpoints cannot be
 * stored. Calls that an earlier attempt finished are answered from checkpoints, not made again.
 */
export async function executeRun(options: ExecuteRunOptions): Promise<RunOutcome> {
  const { definition, signal, checkpoints, emit } = options;
  if (signal.aborted) return interrupted(signal, NO_USAGE);
  await emit({ type: 'run.started', attempt: options.attempt });
  const finishedCalls = new Map(
    (await checkpoints.load()).map(({ call, fingerprint, result }) => [
      call,
      { fingerprint, result: parseCallResult(result) },
    ]),
  );

  const process = await options.sandbox.launch(options.sandboxLimits ?? DEFAULT_SANDBOX_LIMITS);
  const broker = new Broker({ ...options, process, finishedCalls });
  const { timeoutSeconds } = definition.limits;
  const timer = setTimeout(() => {
    const message = `The run took longer than ${timeoutSeconds} seconds.`;
    broker.end({ type: 'failed', error: { code: 'RUN_TIMEOUT', message } });
  }, timeoutSeconds * 1_000);
  const onAbort = () => broker.end({ type: 'cancelled' });
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const ending = await broker.serve();
    const { usage } = broker;
    switch (ending.type) {
      case 'completed':
        return { status: 'COMPLETED', output: ending.output, usage };
      case 'failed':
        return { status: 'FAILED', error: ending.error, usage, cause: ending.cause };
      case 'cancelled':
        return interrupted(signal, usage);
      case 'broken':
        throw ending.error;
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function interrupted(signal: AbortSignal, usage: Usage): RunOutcome {
  if (signal.reason === CANCELLED) return { status: 'CANCELLED', usage };
  throw new RunInterrupted('the worker stopped before the run was over', { cause: signal.reason });
}
