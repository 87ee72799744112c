import { z } from 'zod';

const url = (protocol: RegExp): z.ZodType<string> => z.url({ protocol });
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

const urlsByRegion = z
  .string()
  .optional()
  .transform((value, context) => {
    try {
      return z
        .record(z.string().regex(/^[a-z]{2}-[a-z]+-\d$/), url(/^postgres(ql)?$/))
        .parse(JSON.parse(value ?? '{}'));
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a JSON object of region and database URL' });
      return z.NEVER;
    }
  });

/** Every variable that is read, with what it means. `.env.example` is held against this by a test. */
export const environment = z.object({
  NODE_ENV: z
    .enum(['production', 'development', 'test'])
    .default('development')
    .describe('production refuses embedded parts'),
  HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3_000).describe('Port to listen on'),
  PUBLIC_URL: url(/^https?$/)
    .optional()
    .describe('URL under which callers reach the API; issuer of tokens'),
  TRUSTED_PROXIES: z.coerce
    .number()
    .int()
    .min(0)
    .max(10)
    .default(0)
    .describe('Proxies in front whose X-Forwarded-For is believed'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'])
    .default('info')
    .describe('Least level that is logged'),
  WAXELL_HOME: z.string().min(1).default('.waxell').describe('Folder of the embedded mode'),
  DATABASE_URL: url(/^postgres(ql)?$/)
    .optional()
    .describe('PostgreSQL >= 16, as owner; unset: embedded'),
  DATABASE_LOGIN_SECRET: z
    .string()
    .min(32)
    .optional()
    .describe('Secret from which the passwords of the database logins follow'),
  REGION: z
    .string()
    .regex(/^[a-z]{2}-[a-z]+-\d$/)
    .default('us-east-1')
    .describe('Region of DATABASE_URL'),
  MORE_REGIONS: urlsByRegion.describe('JSON object of further regions and their database URLs'),
  DATABASE_POOLER_URL: url(/^postgres(ql)?$/)
    .optional()
    .describe('PgBouncer in transaction mode before DATABASE_URL'),
  MORE_POOLERS: urlsByRegion.describe('JSON object of further regions and the URLs of their PgBouncers'),
  DATABASE_POOL: z.coerce
    .number()
    .int()
    .min(2)
    .max(200)
    .default(10)
    .describe('Connections for tenant statements, per region'),
  REDIS_URL: url(/^rediss?$/)
    .optional()
    .describe('Redis >= 7 for the queue; unset: the queue is in PostgreSQL'),
  AWS_REGION: z.string().min(1).optional().describe('With AWS credentials: keys in AWS KMS, objects in S3'),
  AWS_KMS_ENDPOINT: url(/^https?$/)
    .optional()
    .describe("KMS at another URL than the region's"),
  S3_BUCKET: z.string().min(3).optional().describe('Bucket of stored objects'),
  S3_ENDPOINT: url(/^https?$/)
    .optional()
    .describe("S3 at another URL than the region's"),
  WAXELL_OPERATOR_KEY_HASH: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .describe('SHA-256 of the operator key, hexadecimal'),
  WORKER: z
    .enum(['in-process', 'separate'])
    .optional()
    .describe('Whether the HTTP process works on runs too'),
  WORKER_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(4)
    .describe('Runs that a worker executes at once'),
  OPENAI_API_KEY: z.string().min(1).optional().describe("The operator's key for OpenAI"),
  OPENAI_BASE_URL: url(/^https?$/)
    .optional()
    .describe('Default endpoint of provider openai'),
  ANTHROPIC_API_KEY: z.string().min(1).optional().describe("The operator's key for Anthropic"),
  ANTHROPIC_BASE_URL: url(/^https?$/)
    .optional()
    .describe('Default endpoint of provider anthropic'),
  MODEL_ALLOW_LOOPBACK: flag.optional().describe('Lets tenants name model endpoints on this machine'),
});

export type Environment = z.infer<typeof environment>;

/** The environment is not as it must be. Names variables, never their values. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export function readEnvironment(variables: Record<string, string | undefined>): Environment {
  // An empty variable is one that is not set, as in `.env` files.
  const given = Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = environment.safeParse(given);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${withoutValue(issue)}`);
  throw new ConfigurationError(`The environment is not valid.\n  ${wrong.join('\n  ')}`);
}

function withoutValue(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'custom':
      return issue.message;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `must be at least ${String(issue.minimum)}${issue.origin === 'string' ? ' characters long' : ''}`;
    case 'too_big':
      return `must be at most ${String(issue.maximum)}${issue.origin === 'string' ? ' characters long' : ''}`;
    default:
      return 'does not have the form that .env.example shows';
  }
}

const REQUIRED_IN_PRODUCTION = [
  'PUBLIC_URL',
  'DATABASE_URL',
  'DATABASE_LOGIN_SECRET',
  'REDIS_URL',
  'AWS_REGION',
  'S3_BUCKET',
  'WAXELL_OPERATOR_KEY_HASH',
] as const satisfies readonly (keyof Environment)[];

/** Production runs on real engines with secrets of its own, or not at all. */
export function refuseUnfitProduction(env: Environment): void {
  if (env.NODE_ENV !== 'production') return;
  const missing = REQUIRED_IN_PRODUCTION.filter((name) => env[name] === undefined);
  if (missing.length > 0) {
    throw new ConfigurationError(
      `NODE_ENV=production needs ${missing.join(', ')}. See .env.example for each.`,
    );
  }
  if (env.WORKER === 'in-process') {
    throw new ConfigurationError(
      'NODE_ENV=production refuses WORKER=in-process: the worker is a process of its own.',
    );
  }
  if (env.MODEL_ALLOW_LOOPBACK) {
    throw new ConfigurationError('NODE_ENV=production refuses MODEL_ALLOW_LOOPBACK=true.');
  }
}
