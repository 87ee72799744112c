import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './command.js';

const HEADERS_MS = 30_000;

/** @throws with the problem's own words where the answer is none of success */
export async function ask(
  url: URL,
  headers: Record<string, string>,
  { method = 'GET', body }: { method?: string; body?: unknown } = {},
): Promise<Response> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(new Error(`${url.origin} does not answer.`)), HEADERS_MS);
  try {
    const answer = await fetch(url, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: abort.signal,
    });
    if (answer.ok) return answer;
    const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
    throw new Error(`${url.pathname} answered ${answer.status}. ${problem.detail ?? ''}`.trim());
  } finally {
    clearTimeout(timer);
  }
}

export function baseUrl(value: string | undefined): URL {
  if (value === undefined || !URL.canParse(value)) throw new UsageError('Name the server: --url https://...');
  return new URL(value);
}

export function parsed<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
