import { Injectable } from '@nestjs/common';
import { Log } from '../platform/observability/log.js';
import { ConnectionStore } from './connection-store.js';
import { failureInWords } from './refusal-in-words.js';

/** Keeps what a sign-in has met as the last error of its connection, for whoever administers it. */
@Injectable()
export class KeepFailure {
  constructor(
    private readonly store: ConnectionStore,
    private readonly log: Log,
  ) {}

  /** That it could not be written down changes nothing for the person. */
  async keep(connectionId: string, error: unknown): Promise<void> {
    const failure = failureInWords(error);
    if (!failure) return;
    await this.store
      .remember(connectionId, failure.code, failure.why)
      .catch((cause: unknown) => this.log.error('the error of a connection could not be kept', cause));
  }
}
