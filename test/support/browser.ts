import { parseSetCookie } from 'cookie';
import { OpenApiContract } from './openapi-contract.js';

export interface Page {
  readonly status: number;
  readonly headers: Headers;
  readonly location: string | undefined;
  readonly body: unknown;
}

/** What of a browser sign-ins need: cookies, kept by host, and addresses that are opened by hand. */
export class Browser {
  readonly #jars = new Map<string, Map<string, string>>();

  get(url: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.#open('GET', url, headers, undefined);
  }

  post(url: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<Page> {
    return this.#open('POST', url, headers, new URLSearchParams(form));
  }

  cookies(url: string): string {
    return [...this.#jar(url)].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** Follows redirections that stay where `stays` says. */
  async follow(url: string, stays: (url: string) => boolean): Promise<Page> {
    let page = await this.get(url);
    for (let hops = 0; page.location !== undefined && stays(page.location) && hops < 10; hops += 1)
      page = await this.get(page.location);
    return page;
  }

  async #open(
    method: string,
    url: string,
    headers: Record<string, string>,
    form: URLSearchParams | undefined,
  ): Promise<Page> {
    const cookie = this.cookies(url);
    const response = await fetch(url, {
      method,
      headers: { accept: 'text/html', ...headers, ...(cookie !== '' && { cookie }) },
      redirect: 'manual',
      ...(form && { body: form }),
    });
    this.#keep(url, response.headers.getSetCookie());
    const text = await response.text();
    const location = response.headers.get('location');
    const body: unknown = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text;
    await holdContract(method, url, response, text === '' ? undefined : body);
    const { status } = response;
    return {
      status,
      headers: response.headers,
      location: location === null ? undefined : new URL(location, url).href,
      body,
    };
  }

  #keep(url: string, cookies: readonly string[]): void {
    for (const text of cookies) {
      const { name, value, maxAge } = parseSetCookie(text);
      if (maxAge === 0) this.#jar(url).delete(name);
      else this.#jar(url).set(name, value ?? '');
    }
  }

  #jar(url: string): Map<string, string> {
    const { host } = new URL(url);
    const jar = this.#jars.get(host) ?? new Map<string, string>();
    this.#jars.set(host, jar);
    return jar;
  }
}

/** Answers of ours are held against the reference, as every client's are. */
async function holdContract(method: string, url: string, response: Response, body: unknown): Promise<void> {
  const { origin, pathname } = new URL(url);
  if (!pathname.startsWith('/v1/')) return;
  const contract = await OpenApiContract.of(origin);
  const route = contract.find(method, pathname);
  if (route) contract.check(route, response.status, response.headers.get('content-type'), body);
}
