import type { Response } from 'express';

/** An answer that is written piece by piece, once the event of its request is durable. */
export abstract class StreamedAnswer {
  abstract serve(response: Response): Promise<void>;
}

/** Resolves when the response takes more, or when nobody reads it any more. */
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
