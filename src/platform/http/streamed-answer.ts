import type { Response } from 'express';
import type { RequestContext } from './request-context.js';

/** An answer that is sent piece by piece. It begins once the event of its request is durable. */
export abstract class StreamedAnswer {
  /** Of a list that is there as a whole, how many it has. */
  get rows(): number | undefined {
    return undefined;
  }

  abstract serve(response: Response, request: RequestContext): Promise<void>;
}

/** Has an answer end when the credential of its request does, be it by now. */
export function whenRevoked(request: RequestContext, end: () => void): void {
  request.onRevoked = end;
  if (request.revoked) end();
}

/** Waits until more can be written; no longer than the signal lets. */
export function writable(response: Response, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}

/** How a file is told of: its name, its media type, and what else its headers say. */
export interface FileHeaders {
  readonly name: string;
  readonly type: string;
  readonly more?: Readonly<Record<string, string>>;
}

/** A file, at the pace of its reader. A failure cuts the answer: it is seen to be incomplete. */
export class StreamedFile extends StreamedAnswer {
  constructor(
    private readonly headers: FileHeaders,
    private readonly source: () => AsyncIterable<Buffer>,
  ) {
    super();
  }

  async serve(response: Response, request: RequestContext): Promise<void> {
    const left = new AbortController();
    const end = (): void => left.abort();
    response.once('close', end);
    // Cut, so that it is seen to be incomplete.
    whenRevoked(request, () => response.destroy());
    response.status(200).set({
      'Content-Type': this.headers.type,
      'Content-Disposition': `attachment; filename="${this.headers.name}"`,
      'Cache-Control': 'no-store',
      ...this.headers.more,
    });
    try {
      for await (const piece of this.source()) {
        if (left.signal.aborted) return;
        if (!response.write(piece)) await writable(response, left.signal);
      }
      response.end();
    } catch (error) {
      response.destroy();
      throw error;
    } finally {
      response.off('close', end);
    }
  }
}

/** Lines of JSON (https://jsonlines.org). */
export class JsonLines extends StreamedFile {
  constructor(name: string, source: () => AsyncIterable<Buffer>) {
    super({ name, type: 'application/jsonl' }, source);
  }
}
