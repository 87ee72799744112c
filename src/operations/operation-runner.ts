import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { WorkerConfig } from '../platform/config/index.js';
import { Log } from '../platform/observability/log.js';
import { OperationFailed, type Step, type StepResult } from './operation.js';
import { LEASE_SECONDS, OperationLeases, type KnownStep, type OperationLease } from './operation-lease.js';

const POLL_MS = 1_000;
const AT_ONCE = 2;
const FORGET_MS = 3_600_000;
/** A step that fails is repeated after 1, 2, 4, ... seconds, and every five minutes in the end: nothing is given up. */
const LONGEST_PAUSE_SECONDS = 300;

/**
 * Works on operations, step by step, in whichever process is free. A step is noted when it is done; one whose process
 * died is begun again by another once the lease has ended.
 */
@Injectable()
export class OperationRunner implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #steps = new Map<string, Readonly<Record<string, Step>>>();
  readonly #stopping = new AbortController();
  readonly #atWork = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #forgetAt = 0;

  constructor(
    private readonly leases: OperationLeases,
    private readonly config: WorkerConfig,
    private readonly log: Log,
  ) {}

  /** Says how operations of a kind are done. To be called before the application has started. */
  register(kind: string, steps: Readonly<Record<string, Step>>): void {
    if (this.#steps.has(kind)) throw new Error(`Operations of the kind ${kind} are registered already.`);
    this.#steps.set(kind, steps);
  }

  async onApplicationBootstrap(): Promise<void> {
    if (this.config.alone) await this.leases.freeAll();
    this.#lookSoon(0);
  }

  /** The steps that this program has. What one of another version has further ones of is left to its processes. */
  known(): KnownStep[] {
    return [...this.#steps].flatMap(([kind, steps]) => Object.keys(steps).map((step) => ({ kind, step })));
  }

  /** Looks for work now: something was begun in this process. */
  nudge(): void {
    clearTimeout(this.#timer);
    this.#lookSoon(0);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#looking;
    await Promise.all(this.#atWork);
  }

  #lookSoon(afterMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#looking
        .then(() => this.#look())
        .catch((error: unknown) => this.log.error('looking for operations failed; it is repeated', error))
        .finally(() => {
          clearTimeout(this.#timer);
          this.#lookSoon(POLL_MS);
        });
    }, afterMs);
  }

  async #look(): Promise<void> {
    if (Date.now() >= this.#forgetAt) {
      this.#forgetAt = Date.now() + FORGET_MS;
      await this.leases.forgetOld();
    }
    while (this.#atWork.size < AT_ONCE && !this.#stopping.signal.aborted) {
      const lease = await this.leases.acquire(this.known());
      if (!lease) return;
      const work = this.#work(lease).finally(() => {
        this.#atWork.delete(work);
        this.nudge();
      });
      this.#atWork.add(work);
    }
  }

  async #work(lease: OperationLease): Promise<void> {
    const { operation } = lease;
    const lost = new AbortController();
    const renewal = setInterval(
      () => {
        this.leases.renew(lease).then(
          (held) => held || lost.abort(),
          (error: unknown) =>
            this.log.error('an operation could not be renewed', error, { operation: operation.id }),
        );
      },
      (LEASE_SECONDS * 1_000) / 3,
    );
    try {
      const step = this.#steps.get(operation.kind)?.[operation.step];
      if (!step) throw new Error(`The step ${operation.step} of ${operation.kind} is not known here.`);
      const signal = AbortSignal.any([lost.signal, this.#stopping.signal]);
      await this.#noteResult(lease, await step(operation, signal));
    } catch (error) {
      await this.#noteFailure(lease, error);
    } finally {
      clearInterval(renewal);
    }
  }

  async #noteResult(lease: OperationLease, result: StepResult): Promise<void> {
    const { step, data } = lease.operation;
    if (result === 'done') return this.leases.note(lease, { status: 'done' });
    await this.leases.note(lease, {
      status: 'running',
      step: 'next' in result ? result.next : step,
      data: result.data ?? data,
      afterSeconds: 'next' in result ? (result.afterSeconds ?? 0) : result.again,
    });
  }

  async #noteFailure(lease: OperationLease, error: unknown): Promise<void> {
    const { id, kind, step, attempts } = lease.operation;
    const final = error instanceof OperationFailed;
    if (!this.#stopping.signal.aborted || final)
      this.log.error('a step of an operation failed', error, { operation: id, kind, step });
    const reason = error instanceof Error ? error.message : String(error);
    const pause = Math.min(2 ** Math.min(attempts - 1, 20), LONGEST_PAUSE_SECONDS);
    const afterSeconds = this.#stopping.signal.aborted ? 0 : pause;
    try {
      await this.leases.note(
        lease,
        final ? { status: 'failed', error: reason } : { status: 'running', error: reason, afterSeconds },
      );
    } catch (failure) {
      // The lease ends by itself, and the step is begun again.
      this.log.error('an operation could not be given back', failure, { operation: id });
    }
  }
}
