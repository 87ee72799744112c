import type { Response } from 'express';
import { StreamedAnswer } from './streamed-answer.js';

/** Sends a browser elsewhere, once the event of the request is durable. The address is ours, or an identity provider's that an administrator named. */
export class Redirection extends StreamedAnswer {
  constructor(
    readonly to: string,
    private readonly cookies: readonly string[] = [],
  ) {
    super();
  }

  serve(response: Response): Promise<void> {
    // The referrer of a page at a provider would carry our path and its parameters.
    response.status(302).set({ Location: this.to, 'Referrer-Policy': 'no-referrer' });
    setCookies(response, this.cookies);
    response.end();
    return Promise.resolve();
  }
}

/** A body of JSON, or of another type, where a route answers now with one and now with a redirection. */
export class BodyAnswer extends StreamedAnswer {
  constructor(
    private readonly body: object | string,
    private readonly options: {
      readonly status?: number;
      readonly type?: string;
      readonly cookies?: readonly string[];
    } = {},
  ) {
    super();
  }

  serve(response: Response): Promise<void> {
    const { status = 200, type = 'application/json; charset=utf-8', cookies = [] } = this.options;
    response.status(status).set({ 'Content-Type': type });
    setCookies(response, cookies);
    response.end(typeof this.body === 'string' ? this.body : JSON.stringify(this.body));
    return Promise.resolve();
  }
}

function setCookies(response: Response, cookies: readonly string[]): void {
  if (cookies.length > 0) response.setHeader('Set-Cookie', [...cookies]);
}
