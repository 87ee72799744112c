import { Injectable } from '@nestjs/common';
import { CANCELLED } from '@waxell/runtime';
import { Feed, TenantDatabase } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { TenantRegistry } from '../tenancy/index.js';
import { LEASE_SECONDS, RunDispatch, type Lease } from './run-dispatch.js';

/** While the feed is silent it is looked this often: with the time that silence takes to be noticed, within a second. */
const LOOK_AFTER_MS = 200;
/** Reason of an attempt's end: the tenant is not served at this moment. The run waits, and goes on later. */
export const NOT_SERVED = 'tenant not served';
/** The same: the tenant is about to live in another cell, or does. Nothing of this attempt could be stored any more. */
export const LEAVES = 'the tenant moves';

/** Stands beside an attempt at a run, and says when it has to end. */
@Injectable()
export class GuardAttempt {
  constructor(
    private readonly database: TenantDatabase,
    private readonly dispatch: RunDispatch,
    private readonly feed: Feed,
    private readonly tenants: TenantRegistry,
    private readonly log: Log,
  ) {}

  /** Keeps the lease, and ends the attempt when it is lost, the run is cancelled or the worker stops. */
  begin(lease: Lease, stop: AbortSignal): { signal: AbortSignal; end: () => void } {
    const controller = new AbortController();
    const onStop = (): void => controller.abort(stop.reason);
    if (stop.aborted) onStop();
    stop.addEventListener('abort', onStop, { once: true });
    const unsubscribe = this.feed.subscribe((change) => {
      if (change.kind === 'tenant' && (change.tenant === lease.tenant.id || change.tenant === '*')) {
        this.#hindered(lease).then(
          (reason) => reason !== undefined && controller.abort(reason),
          (error: unknown) =>
            this.log.error('a tenant could not be looked up', error, { runId: lease.runId }),
        );
      }
      if (change.kind !== 'run_cancel' || change.id !== lease.runId) return;
      // Any role may notify: what the feed says is looked up before it is believed.
      this.#cancelRequested(lease).then(
        (requested) => requested && controller.abort(CANCELLED),
        (error: unknown) => this.log.error('a cancellation could not be looked up', error, lease),
      );
    });
    let looking = false;
    let renewAt = Date.now() + (LEASE_SECONDS * 1_000) / 3;
    const timer = setInterval(() => {
      if (looking) return;
      const renew = Date.now() >= renewAt;
      if (!renew && this.feed.reliable()) return;
      looking = true;
      if (renew) renewAt = Date.now() + (LEASE_SECONDS * 1_000) / 3;
      this.#look(lease, renew)
        .then(
          (reason) => reason !== undefined && controller.abort(reason),
          (error: unknown) =>
            this.log.error('a lease could not be looked after', error, { runId: lease.runId }),
        )
        .finally(() => (looking = false));
    }, LOOK_AFTER_MS);
    return {
      signal: controller.signal,
      end: () => {
        clearInterval(timer);
        stop.removeEventListener('abort', onStop);
        unsubscribe();
      },
    };
  }

  /** The reason to end the attempt, if there is one. The feed says it sooner; this says it even without the feed. */
  async #look(lease: Lease, renew: boolean): Promise<string | undefined> {
    if (renew && !(await this.dispatch.renew(lease))) return 'lease lost';
    if (this.feed.reliable()) return undefined;
    const hindered = await this.#hindered(lease);
    if (hindered !== undefined) return hindered;
    return (await this.#cancelRequested(lease)) ? CANCELLED : undefined;
  }

  async served(lease: Lease): Promise<boolean> {
    return (await this.#hindered(lease)) !== NOT_SERVED;
  }

  async #hindered({ tenant }: Lease): Promise<string | undefined> {
    const current = await this.tenants.byId(tenant.id);
    if (current?.status !== 'active') return NOT_SERVED;
    return current.writesPaused || current.cell !== tenant.cell ? LEAVES : undefined;
  }

  async #cancelRequested(lease: Lease): Promise<boolean> {
    const [run] = await this.database.within(lease.tenant, () =>
      this.database.query<{ requested: boolean }>({
        name: 'run_cancel_requested',
        text: 'SELECT cancel_requested_at IS NOT NULL AS requested FROM runs WHERE id = $1',
        values: [lease.runId],
      }),
    );
    return run?.requested ?? false;
  }
}
