import { setTimeout as sleep } from 'node:timers/promises';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import { runIn, startRun } from './agents.js';
import { client, type Client } from './client.js';

/** One of the ways in which somebody is served. */
export interface Channel {
  readonly name: string;
  /** When it was last served, by `performance.now()`: it resolves once it is dead. */
  readonly last: Promise<number>;
}

/** Whatever lives on is given up: the moment until then is what it is judged by. */
const LIMIT_MS = 15_000;
const PAUSE_MS = 15;

/** Asks again and again, until the answer is no. */
function asking(name: string, served: () => Promise<boolean>): Channel {
  const last = async (): Promise<number> => {
    const until = performance.now() + LIMIT_MS;
    for (let alive = 0; ; await sleep(PAUSE_MS)) {
      const askedAt = performance.now();
      if (!(await served())) return alive;
      alive = askedAt;
      if (askedAt > until) return alive;
    }
  };
  return { name, last: last() };
}

function statusOf(name: string, get: () => Promise<{ readonly status: number }>): Channel {
  return asking(name, async () => {
    const { status } = await get();
    if (status !== 200 && status !== 401) throw new Error(`${name} was answered by ${status}`);
    return status === 200;
  });
}

/** What a sign-in has given. */
export interface Held {
  readonly tokens: TokensDto;
  /** `name=value` of the session's cookie. */
  readonly cookie: string;
}

export function tokenChannel(baseUrl: string, { tokens }: Held): Channel {
  const api = client(baseUrl, tokens.accessToken);
  return statusOf('access token', () => api.get('/v1/me'));
}

export function cookieChannel(baseUrl: string, { cookie }: Held): Channel {
  const api = client(baseUrl, undefined, { cookie });
  return statusOf('cookie', () => api.get('/v1/me'));
}

export function keyChannel(baseUrl: string, key: string): Channel {
  const api = client(baseUrl, key);
  return statusOf('API key', () => api.get('/v1/me'));
}

/** Each is good once, and gives the next. */
export function refreshChannel(baseUrl: string, { tokens }: Held): Channel {
  const api = client(baseUrl);
  let { refreshToken } = tokens;
  return statusOf('refresh token', async () => {
    const answer = await api.post<TokensDto>('/v1/auth/refresh', { refreshToken });
    if (answer.status === 200) ({ refreshToken } = answer.body);
    return answer;
  });
}

/** The events of a run, begun before this resolves. */
export async function streamChannel(baseUrl: string, credential: string, runId: string): Promise<Channel> {
  const begun = Promise.withResolvers<void>();
  const last = (async () => {
    const stream = client(baseUrl, credential).events(`/v1/runs/${runId}/events`);
    for await (const _event of stream) begun.resolve();
    return performance.now();
  })();
  last.catch((error: unknown) => begun.reject(error as Error));
  await begun.promise;
  return { name: 'stream', last };
}

/** A run that somebody has begun, as an administrator sees it. */
export async function runChannel(
  admin: Client,
  baseUrl: string,
  credential: string,
  agentId: string,
): Promise<Channel> {
  const run = await startRun(client(baseUrl, credential), agentId);
  await runIn(admin, run.id, new Set(['RUNNING']));
  return asking('run', async () => {
    const { status } = await runIn(admin, run.id, new Set(['RUNNING', 'CANCELLED']));
    return status === 'RUNNING';
  });
}
