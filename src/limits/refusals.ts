import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { EventRecorder, type AuditEvent } from '../audit/index.js';
import type { RequestContext, RequestTenant } from '../platform/http/request-context.js';
import { Log } from '../platform/observability/log.js';
import type { PolicyName } from './policies.js';

interface Window {
  readonly tenant: RequestTenant | undefined;
  readonly policy: PolicyName;
  /** Of the first of them. */
  readonly client: { readonly ip: string; readonly userAgent: string };
  refused: number;
  readonly timer: NodeJS.Timeout;
}

const WINDOW_SECONDS = 10;
/** Beyond it refusals are counted for the installation as a whole. */
const MAX_WINDOWS = 1_000;

/**
 * Records refused requests: one event for each tenant and policy in ten seconds, with their number. An event for each
 * would make a flood of requests a flood of durable writes, which is what the limit is there to prevent. A process that
 * is killed loses the count of its last seconds; nothing was done that it would have told of.
 */
@Injectable()
export class Refusals implements BeforeApplicationShutdown {
  readonly #windows = new Map<string, Window>();

  constructor(
    private readonly events: EventRecorder,
    private readonly log: Log,
  ) {}

  count(policy: PolicyName, { tenant, ip, userAgent }: RequestContext): void {
    // Refusals of an address are nobody's but the installation's: no tenant has been asked for anything yet.
    const owner = policy === 'ip' || policy === 'sign-in' ? undefined : tenant;
    const own = `${policy} ${owner?.id ?? ''}`;
    const full = this.#windows.size >= MAX_WINDOWS && !this.#windows.has(own);
    const key = full ? `${policy} ` : own;
    const open = this.#windows.get(key);
    if (open) {
      open.refused += 1;
      return;
    }
    const timer = setTimeout(() => void this.#record(key), WINDOW_SECONDS * 1_000).unref();
    const window = { tenant: full ? undefined : owner, policy, client: { ip, userAgent }, refused: 1, timer };
    this.#windows.set(key, window);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all([...this.#windows.keys()].map((key) => this.#record(key)));
  }

  async #record(key: string): Promise<void> {
    const window = this.#windows.get(key);
    if (!window) return;
    this.#windows.delete(key);
    clearTimeout(window.timer);
    try {
      await this.events.record(window.tenant, eventOf(window));
    } catch (error) {
      this.log.error('refused requests could not be recorded', error, { refused: window.refused });
    }
  }
}

function eventOf({ policy, client, refused }: Window): AuditEvent {
  return {
    action: 'request.rate_limited',
    actor: { type: 'system', id: 'limits' },
    outcome: 'denied',
    reason: 'RATE_LIMITED',
    changes: { policy, refused, seconds: WINDOW_SECONDS },
    client,
  };
}
