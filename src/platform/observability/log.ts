import { pino, type Logger } from 'pino';
import type { LoggerService } from '@nestjs/common';

/** Keys whose values never reach a log, wherever in a logged object they stand. */
const SECRET_KEYS = [
  'password',
  'ownerPassword',
  'apiKey',
  'apiKeys',
  'operatorKey',
  'accessToken',
  'refreshToken',
  'token',
  'secret',
  'authorization',
  'cookie',
  'connectionString',
];
const REDACT = SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

/** Credentials inside texts: URLs with a password, our own keys, bearer tokens. */
const CREDENTIALS = [
  { pattern: /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi, replacement: '$1:[redacted]@' },
  { pattern: /\bwax_[A-Za-z0-9]+_[A-Za-z0-9]+/g, replacement: 'wax_[redacted]' },
  { pattern: /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, replacement: '$1 [redacted]' },
  { pattern: /\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g, replacement: '[redacted token]' },
];

export function withoutCredentials(text: string): string {
  return CREDENTIALS.reduce((clean, { pattern, replacement }) => clean.replace(pattern, replacement), text);
}

/** What to do, where the server's own words name no setting: it has no connection free, or none for those it serves. */
export function adviceOn(error: unknown): string | undefined {
  if ((error as { code?: unknown } | undefined)?.code !== '53300') return undefined;
  return 'PostgreSQL has no connection free: raise its max_connections (or the limit of the login), or lower DATABASE_POOL (docs/operations/running.md).';
}

/** Structured JSON logs on standard output. What is secret by name or by form is not in them. */
export class Log implements LoggerService {
  readonly #pino: Logger;

  constructor(level: string) {
    this.#pino = pino({
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: REDACT, censor: '[redacted]' },
    });
  }

  log(message: unknown, ...details: unknown[]): void {
    // The framework names its class as the last argument: what it says of its own start helps in debugging only.
    this.#write(typeof details.at(-1) === 'string' ? 'debug' : 'info', message, details);
  }

  warn(message: unknown, ...details: unknown[]): void {
    this.#write('warn', message, details);
  }

  debug(message: unknown, ...details: unknown[]): void {
    this.#write('debug', message, details);
  }

  /** `cause` is what was thrown; its message and stack are logged without credentials. */
  error(message: unknown, cause?: unknown, details?: unknown): void {
    // The framework hands over what was thrown, by itself.
    if (message instanceof Error) return this.#write('error', message.message, [described(message)]);
    this.#write('error', message, [{ ...described(cause), ...asObject(details) }]);
  }

  #write(level: 'info' | 'warn' | 'debug' | 'error', message: unknown, details: unknown[]): void {
    // Nest passes its own context (a class name) as the last argument.
    const last = details.at(-1);
    const fields = typeof last === 'string' ? { context: last } : asObject(last);
    this.#pino[level](
      fields,
      withoutCredentials(typeof message === 'string' ? message : JSON.stringify(message)),
    );
  }
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function described(cause: unknown): Record<string, unknown> {
  if (cause === undefined) return {};
  if (!(cause instanceof Error)) return { cause: withoutCredentials(JSON.stringify(cause) ?? typeof cause) };
  const inner = cause.cause === undefined ? {} : { cause: described(cause.cause) };
  const advice = adviceOn(cause);
  // The stack of a database error may quote values of the statement; `parameters` and `detail` are left out on purpose.
  return {
    error: cause.name,
    reason: withoutCredentials(cause.message),
    stack: withoutCredentials(cause.stack ?? ''),
    ...(advice !== undefined && { advice }),
    ...inner,
  };
}
