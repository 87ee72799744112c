import type { Response } from 'express';
import { StreamedAnswer, writable } from './streamed-answer.js';

/**
 * A download of JSON values, one a line. It follows the pace of its reader. Where its source fails half-way the connection
 * is cut, so that what was received is not taken for all there is.
 */
export class JsonLines extends StreamedAnswer {
  constructor(
    private readonly controller: AbortController,
    private readonly source: (signal: AbortSignal) => AsyncIterable<unknown>,
    private readonly filename: string,
  ) {
    super();
  }

  async serve(response: Response): Promise<void> {
    const { signal } = this.controller;
    const end = (): void => this.controller.abort();
    response.once('close', end);
    response.status(200).set({
      'Content-Type': 'application/jsonl',
      'Content-Disposition': `attachment; filename="${this.filename}"`,
    });
    let complete = false;
    try {
      for await (const value of this.source(signal)) {
        if (signal.aborted) break;
        if (!response.write(`${JSON.stringify(value)}\n`)) await writable(response, signal);
      }
      complete = !signal.aborted;
    } finally {
      response.off('close', end);
      this.controller.abort();
      if (complete) response.end();
      else response.destroy();
    }
  }
}
