import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Feed, type TenantId } from '../platform/database/index.js';
import { OpenStreams } from '../platform/http/event-stream.js';
import { Log } from '../platform/observability/log.js';
import { TenantRegistry } from './tenant-registry.js';

/** While the feed is down, the registry is asked this often. */
const LOOK_MS = 1_000;

/** Ends the open streams of a tenant that is not served any more: nobody asks whether they may go on, so we do. */
@Injectable()
export class EndStreams implements OnModuleInit, OnApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly tenants: TenantRegistry,
    private readonly streams: OpenStreams,
    private readonly feed: Feed,
    private readonly log: Log,
  ) {}

  onModuleInit(): void {
    this.feed.subscribe(({ kind, tenant }) => {
      if (kind === 'tenant') this.#look((id) => tenant === '*' || tenant === id);
    });
    this.#timer = setInterval(() => {
      if (!this.feed.reliable()) this.#look(() => true);
    }, LOOK_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.#timer);
  }

  /** What a feed says is looked up before it is believed: any role may notify. */
  #look(concerned: (tenant: TenantId) => boolean): void {
    for (const id of this.streams.tenants().filter(concerned)) {
      this.tenants.byId(id).then(
        (tenant) => tenant?.status === 'active' || this.streams.endAll(id),
        (error: unknown) => this.log.error('a tenant could not be looked up; its streams go on', error),
      );
    }
  }
}
