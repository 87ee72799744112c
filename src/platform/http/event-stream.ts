import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import type { Response } from 'express';
import type { TenantId } from '../database/tenant-id.js';
import { ServiceUnavailable } from './errors.js';
import type { RequestContext } from './request-context.js';
import { StreamedAnswer, whenRevoked, writable } from './streamed-answer.js';

/** One server-sent event. */
export interface StreamedEvent {
  readonly id: number;
  readonly type: string;
  readonly data: unknown;
}

const KEEP_ALIVE_MS = 15_000;
const STREAMS_PER_PROCESS = 2_000;

/** Every stream that this process serves: a process that shuts down ends them, and clients go on elsewhere. */
@Injectable()
export class OpenStreams implements BeforeApplicationShutdown {
  /** Each with the tenant that it shows something of. */
  readonly #open = new Map<AbortController, TenantId>();

  begin(tenant: TenantId): AbortController {
    if (this.#open.size >= STREAMS_PER_PROCESS)
      throw new ServiceUnavailable('Too many streams are open. Repeat it later.');
    const controller = new AbortController();
    this.#open.set(controller, tenant);
    controller.signal.addEventListener('abort', () => this.#open.delete(controller), { once: true });
    return controller;
  }

  /** Whose streams are open. */
  tenants(): TenantId[] {
    return [...new Set(this.#open.values())];
  }

  endAll(tenant: TenantId): void {
    for (const [controller, owner] of this.#open) if (owner === tenant) controller.abort();
  }

  beforeApplicationShutdown(): void {
    for (const controller of this.#open.keys()) controller.abort();
  }
}

/**
 * An answer of server-sent events (WHATWG HTML, section 9.2). It begins once the event of its request is durable, ends
 * with its source, and follows the pace of its reader.
 */
export class EventStream extends StreamedAnswer {
  constructor(
    private readonly controller: AbortController,
    private readonly source: (signal: AbortSignal) => AsyncIterable<StreamedEvent>,
  ) {
    super();
  }

  async serve(response: Response, request: RequestContext): Promise<void> {
    const { signal } = this.controller;
    const end = (): void => this.controller.abort();
    whenRevoked(request, end);
    response.once('close', end);
    response.status(200).set({ 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' });
    response.flushHeaders();
    const keepAlive = setInterval(() => response.write(': keep-alive\n\n'), KEEP_ALIVE_MS);
    try {
      for await (const { id, type, data } of this.source(signal)) {
        if (signal.aborted) break;
        const drained = response.write(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
        if (!drained) await writable(response, signal);
      }
    } finally {
      clearInterval(keepAlive);
      response.off('close', end);
      this.controller.abort();
      response.end();
    }
  }
}
