import type { Response } from 'express';
import { StreamedAnswer } from '../platform/http/streamed-answer.js';
import type { Fields } from './protocol/evaluate-filter.js';

export const SCIM_TYPE = 'application/scim+json; charset=utf-8';

/** An answer as SCIM has them: its media type, with where the resource is and which version of it this is. */
export class ScimAnswer extends StreamedAnswer {
  constructor(
    readonly status: number,
    readonly body: Fields | undefined,
  ) {
    super();
  }

  override get rows(): number | undefined {
    const resources = this.body?.['Resources'];
    return Array.isArray(resources) ? resources.length : undefined;
  }

  serve(response: Response): Promise<void> {
    const { location, version } = metaOf(this.body);
    response.status(this.status).set({
      ...(location !== undefined && { [this.status === 201 ? 'Location' : 'Content-Location']: location }),
      ...(version !== undefined && { ETag: version }),
    });
    // Without a body it is the framework that ends it: it takes headers away from one that is ended, and fails.
    if (this.body !== undefined) response.set('Content-Type', SCIM_TYPE).end(JSON.stringify(this.body));
    return Promise.resolve();
  }
}

function metaOf(body: Fields | undefined): { location?: string; version?: string } {
  return (body?.['meta'] ?? {}) as { location?: string; version?: string };
}
