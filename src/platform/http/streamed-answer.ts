import type { Response } from 'express';

/** An answer that is sent piece by piece. It begins once the event of its request is durable. */
export abstract class StreamedAnswer {
  abstract serve(response: Response): Promise<void>;
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

/** Lines of JSON (https://jsonlines.org), at the pace of their reader. A failure cuts the answer: it is seen to be incomplete. */
export class JsonLines extends StreamedAnswer {
  constructor(
    private readonly fileName: string,
    private readonly source: () => AsyncIterable<Buffer>,
  ) {
    super();
  }

  async serve(response: Response): Promise<void> {
    const left = new AbortController();
    const end = (): void => left.abort();
    response.once('close', end);
    response.status(200).set({
      'Content-Type': 'application/jsonl',
      'Content-Disposition': `attachment; filename="${this.fileName}"`,
      'Cache-Control': 'no-store',
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
