import { Injectable } from '@nestjs/common';
import { Feed, type TenantRef } from '../platform/database/index.js';
import { EventStream, OpenStreams, type StreamedEvent } from '../platform/http/event-stream.js';
import { TenantRegistry } from '../tenancy/index.js';
import { RunEvents, TERMINAL_EVENTS } from './run-events.js';

/** The feed may have been down when an event came: it is looked for this often all the same. */
const LOOK_AGAIN_MS = 1_000;

/** Streams a run's events, from any point to its end. That it ends when the watcher's credential does is for `EventStream`. */
@Injectable()
export class WatchRun {
  constructor(
    private readonly events: RunEvents,
    private readonly feed: Feed,
    private readonly streams: OpenStreams,
    private readonly tenants: TenantRegistry,
  ) {}

  execute(tenant: TenantRef, runId: string, after: number): EventStream {
    const controller = this.streams.begin(tenant.id);
    return new EventStream(controller, (signal) =>
      this.#follow({ tenant, runId, after, controller, signal }),
    );
  }

  async *#follow(watch: {
    tenant: TenantRef;
    runId: string;
    after: number;
    controller: AbortController;
    signal: AbortSignal;
  }): AsyncGenerator<StreamedEvent> {
    const { tenant, runId, controller, signal } = watch;
    const wait = new Waiting(signal);
    const unsubscribe = this.feed.subscribe((change) => {
      if (change.kind === 'run_progress' && change.id === runId) wait.wake();
      // It may be suspended now, or its network rules may keep this caller out: who may still watch comes again.
      if (change.kind === 'tenant' && change.id === tenant.id) controller.abort();
      // The same for whoever watches by a grant, or against a policy.
      if (change.kind === 'access' && change.tenant === tenant.id) controller.abort();
    });
    try {
      for (let seq = watch.after; !signal.aborted;) {
        const found = await this.events.after(tenant, runId, seq);
        for (const event of found) {
          seq = event.seq;
          yield { id: seq, type: event.type, data: event };
          if (TERMINAL_EVENTS.has(event.type)) return;
        }
        if (found.length === 0) await wait.next(LOOK_AGAIN_MS);
      }
    } finally {
      unsubscribe();
    }
  }
}

/** Waits for a wake-up, which may come before the wait. */
class Waiting {
  #woken = false;
  #resume: (() => void) | undefined;

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', () => this.wake(), { once: true });
  }

  wake(): void {
    this.#woken = true;
    this.#resume?.();
  }

  async next(limitMs: number): Promise<void> {
    if (!this.#woken && !this.signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, limitMs);
        this.#resume = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#woken = false;
    this.#resume = undefined;
  }
}
