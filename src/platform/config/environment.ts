import { z } from 'zod';
import { isIP } from 'node:net';
import { CELL_NAME, furtherCells, REGION_NAME, regionUrls, servedRegions } from './cells.js';

const url = (protocol: RegExp): z.ZodType<string> => z.url({ protocol });
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

/** `10.2.0.0/16,fd00:2::/32` */
const addressBlocks = z
  .string()
  .optional()
  .transform((text) => text?.split(',').map((block) => block.trim()))
  .refine((blocks) => blocks?.every(isBlock) ?? true, 'must be blocks of addresses such as 10.2.0.0/16');

/** `10.0.0.2,[fd00::2]:5353` */
const nameServers = z
  .string()
  .optional()
  .transform((text) => text?.split(',').map((server) => server.trim()))
  .refine((servers) => servers?.every(isNameServer) ?? true, 'must be addresses such as 10.0.0.2');

/** `+44,+4930` */
const numberPrefixes = z
  .string()
  .optional()
  .transform((text) => text?.split(',').map((prefix) => prefix.trim()))
  .refine(
    (prefixes) => prefixes?.every((prefix) => /^\+[1-9]\d{0,14}$/.test(prefix)) ?? true,
    'must be beginnings of numbers such as +44',
  );

const atLeastOne = (most: number) => z.coerce.number().int().min(1).max(most);

/** Every variable that is read, with what it means. `.env.example` is held against this by a test. */
export const environment = z.object({
  NODE_ENV: z
    .enum(['production', 'development', 'test'])
    .default('development')
    .describe('production refuses embedded parts'),
  HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(3_000).describe('Port to listen on'),
  TLS_CERT_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('PEM of the certificate and its chain; set: HTTPS only'),
  TLS_KEY_FILE: z.string().min(1).optional().describe('PEM of its private key'),
  TLS_MIN_VERSION: z
    .enum(['1.2', '1.3'])
    .default('1.2')
    .describe('Least version of TLS that callers may use'),
  TLS_CLIENT_CA_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('PEM of authorities; set: callers need a certificate of theirs'),
  TLS_TERMINATED_ELSEWHERE: flag
    .optional()
    .describe('true: production may serve plain HTTP, as TLS ends before it'),
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
  RATE_LIMIT_IP_PER_SECOND: atLeastOne(1_000_000)
    .default(100)
    .describe('Requests a second from one address (IPv6: /64)'),
  RATE_LIMIT_IP_BURST: atLeastOne(10_000_000).default(500).describe('The same at once, after a pause'),
  RATE_LIMIT_TENANT_PER_SECOND: atLeastOne(1_000_000)
    .default(500)
    .describe('Requests a second of one organisation, unless set for it'),
  RATE_LIMIT_TENANT_BURST: atLeastOne(10_000_000).default(2_000).describe('The same at once, after a pause'),
  RATE_LIMIT_SIGN_IN_PER_MINUTE: atLeastOne(1_000_000)
    .default(60)
    .describe('Sign-ins a minute from one address'),
  RATE_LIMIT_SIGN_IN_BURST: atLeastOne(1_000_000).default(60).describe('The same at once, after a pause'),
  RATE_LIMIT_TENANT_SIGN_IN_PER_MINUTE: atLeastOne(1_000_000)
    .default(30)
    .describe('Sign-ins a minute from one address to one organisation, unless set for it'),
  RATE_LIMIT_TENANT_SIGN_IN_BURST: atLeastOne(1_000_000)
    .default(30)
    .describe('The same at once, after a pause'),
  ARGON2_MEMORY_KIB: z.coerce
    .number()
    .int()
    .min(8_192)
    .max(1_048_576)
    .default(19_456)
    .describe('Memory of one hash of a password (argon2id); raised, hashes follow as people sign in'),
  ARGON2_PASSES: atLeastOne(20).default(2).describe('Passes over that memory'),
  PASSWORD_BREACH_CHECK: flag
    .optional()
    .describe('Whether new passwords are looked up among breached ones; unset: in production'),
  PASSWORD_BREACH_URL: url(/^https?$/)
    .default('https://api.pwnedpasswords.com')
    .describe('Have I Been Pwned, or a mirror of its ranges'),
  PASSWORD_RESET_URL: url(/^https?$/)
    .optional()
    .describe('Page that takes a new password, with #token=; unset: PUBLIC_URL/reset-password'),
  SECOND_FACTOR_URL: url(/^https?$/)
    .optional()
    .describe(
      'Page that takes a second factor after single sign-on, with #challenge=; unset: PUBLIC_URL/second-factor',
    ),
  TEXT_MESSAGES_URL: url(/^https?$/)
    .optional()
    .describe('Gateway that is posted text messages with codes, signed; unset: no such codes'),
  TEXT_MESSAGES_SECRET: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]{43}=$/)
    .optional()
    .describe('whsec_ and 32 bytes in base64, by which the gateway knows them'),
  TEXT_MESSAGES_PREFIXES: numberPrefixes.describe(
    'What numbers begin with that are sent to, separated by commas; unset: none',
  ),
  TEXT_MESSAGES_PER_DAY: atLeastOne(1_000_000)
    .default(500)
    .describe('Text messages of one organisation in 24 hours'),
  GEO_DATABASE: z
    .string()
    .min(1)
    .optional()
    .describe("File in MaxMind's format that says which country an address is in"),
  GEO_COUNTRY_HEADER: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]*$/)
    .transform((name) => name.toLowerCase())
    .optional()
    .describe('Header in which the edge in front says it; needs TRUSTED_PROXIES'),
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
  REGION: z.string().regex(REGION_NAME).default('us-east-1').describe('Region of DATABASE_URL'),
  CELL: z
    .string()
    .regex(CELL_NAME)
    .optional()
    .describe('Name of the cell of DATABASE_URL; unset: REGION and -c1'),
  CELLS: furtherCells.describe(
    'JSON array of further cells: name, region, databaseUrl, poolerUrl, redisUrl, bucket, bucketKmsKeyId, kmsRegion, capacity',
  ),
  SERVE_REGIONS: servedRegions.describe(
    'Regions that this process serves, separated by commas; unset: those of all cells',
  ),
  REGION_URLS: regionUrls.describe('JSON object of region and base URL, told to who asks in the wrong one'),
  DATABASE_POOLER_URL: url(/^postgres(ql)?$/)
    .optional()
    .describe('PgBouncer in transaction mode before DATABASE_URL'),
  DATABASE_POOL: z.coerce
    .number()
    .int()
    .min(2)
    .max(200)
    .default(10)
    .describe('Connections for tenant statements, per cell'),
  SPARE_TENANTS: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(8)
    .describe('Tenants built in advance, per database; 0: none'),
  REDIS_URL: url(/^rediss?$/)
    .optional()
    .describe('Redis >= 7 for queue and rate limits; unset: PostgreSQL, and each process by itself'),
  REDIS_TLS_CA_FILE: z
    .string()
    .min(1)
    .optional()
    .describe('PEM of authorities for rediss://; unset: those of the system'),
  REDIS_TLS_CERT_FILE: z.string().min(1).optional().describe('PEM of the client certificate for rediss://'),
  REDIS_TLS_KEY_FILE: z.string().min(1).optional().describe('PEM of its private key'),
  AWS_REGION: z.string().min(1).optional().describe('With AWS credentials: keys in AWS KMS, objects in S3'),
  AWS_KMS_ENDPOINT: url(/^https?$/)
    .optional()
    .describe("KMS at another URL than the region's"),
  S3_BUCKET: z.string().min(3).optional().describe('Bucket of stored objects'),
  S3_ENDPOINT: url(/^https?$/)
    .optional()
    .describe("S3 at another URL than the region's"),
  S3_KMS_KEY_ID: z
    .string()
    .min(1)
    .optional()
    .describe('KMS key (id, ARN or alias) that S3 seals objects under; unset: as the bucket is set up'),
  BACKUP_KMS_KEY_ID: z
    .string()
    .min(1)
    .optional()
    .describe('With AWS_REGION: KMS key (id, ARN or alias) that backups are sealed under, and nothing else'),
  AUDIT_HOT_DAYS: z.coerce
    .number()
    .int()
    .min(90)
    .max(3_650)
    .default(90)
    .describe('Days for which audit events stay in the database, at least'),
  AUDIT_COLD_DAYS: z.coerce
    .number()
    .int()
    .min(365)
    .max(36_500)
    .default(365)
    .describe('Days for which audit events are kept in all, then in the object store'),
  AUDIT_HOT_DAYS_LIMIT: z.coerce
    .number()
    .int()
    .min(90)
    .max(3_650)
    .default(365)
    .describe('The most AUDIT_HOT_DAYS that an organisation may set for itself'),
  AUDIT_COLD_DAYS_LIMIT: z.coerce
    .number()
    .int()
    .min(365)
    .max(36_500)
    .default(3_650)
    .describe('The most AUDIT_COLD_DAYS that an organisation may set for itself'),
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
  RECEIVERS_ALLOW: addressBlocks.describe(
    'Blocks of private addresses that receivers of events and alerts may have, separated by commas',
  ),
  RECEIVERS_STDOUT: flag
    .default(false)
    .describe('Lets organisations have their audit log written to standard output'),
  IDENTITY_PROVIDERS_ALLOW: addressBlocks.describe(
    'Blocks of private addresses that identity providers of organisations, and issuers that vouch for their clients, may have, separated by commas',
  ),
  DNS_SERVERS: nameServers.describe(
    'Name servers asked when a domain is verified, separated by commas; unset: those of the system',
  ),
  SMTP_URL: url(/^smtps?$/)
    .optional()
    .describe('Mail server through which alerts are sent; unset: no mail'),
  MAIL_FROM: z.string().min(3).default('Waxell <alerts@localhost>').describe('Sender of mail'),
  MODEL_ALLOW_LOOPBACK: flag.optional().describe('Lets tenants name model endpoints on this machine'),
});

export type Environment = z.infer<typeof environment>;

function isBlock(block: string): boolean {
  const [address = '', bits = '', ...more] = block.split('/');
  const most = { 4: 32, 6: 128 }[isIP(address)];
  return most !== undefined && /^\d{1,3}$/.test(bits) && Number(bits) <= most && more.length === 0;
}

function isNameServer(server: string): boolean {
  const [, bracketed, plain, port = '53'] =
    /^(?:\[([^\]]+)\]|([0-9.]+|[0-9a-fA-F:]+?))(?::(\d{1,5}))?$/.exec(server) ?? [];
  return (isIP(server) !== 0 || isIP(bracketed ?? plain ?? '') !== 0) && Number(port) <= 65_535;
}

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

/** What each variable may say by itself, and not beside another. */
export function refuseContradictions(env: Environment): void {
  if (env.AUDIT_HOT_DAYS > env.AUDIT_HOT_DAYS_LIMIT || env.AUDIT_COLD_DAYS > env.AUDIT_COLD_DAYS_LIMIT)
    throw new ConfigurationError('AUDIT_HOT_DAYS and AUDIT_COLD_DAYS must not be above their limits.');
  if (env.AUDIT_HOT_DAYS >= env.AUDIT_COLD_DAYS)
    throw new ConfigurationError(
      'AUDIT_COLD_DAYS counts from the same day: it must be above AUDIT_HOT_DAYS.',
    );
  if ((env.TEXT_MESSAGES_URL === undefined) !== (env.TEXT_MESSAGES_SECRET === undefined))
    throw new ConfigurationError('Set both TEXT_MESSAGES_URL and TEXT_MESSAGES_SECRET, or neither.');
  if (env.NODE_ENV === 'production' && env.TEXT_MESSAGES_URL?.startsWith('http:'))
    throw new ConfigurationError('NODE_ENV=production needs a TEXT_MESSAGES_URL that begins with https://.');
  if (env.GEO_COUNTRY_HEADER === undefined) return;
  // Without a proxy the header is the caller's own, who would choose a country.
  if (env.TRUSTED_PROXIES === 0) {
    throw new ConfigurationError(
      'GEO_COUNTRY_HEADER needs TRUSTED_PROXIES: without a proxy in front, callers would choose their country.',
    );
  }
  if (env.GEO_DATABASE !== undefined)
    throw new ConfigurationError('Set one of GEO_COUNTRY_HEADER and GEO_DATABASE, not both.');
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

/**
 * Further cells bring what the first one has: with a Redis, keys in AWS and a bucket, each cell names its own Redis and
 * bucket, or what its tenants store would leave it.
 */
export function refuseSharedCells(env: Environment): void {
  const names = [homeCell(env), ...env.CELLS.map((cell) => cell.name)];
  if (new Set(names).size < names.length)
    throw new ConfigurationError('CELLS: two cells have the same name.');
  const regions = new Set([env.REGION, ...env.CELLS.map((cell) => cell.region)]);
  // Embedded, the regions are given, and known only later.
  const unknown = (env.SERVE_REGIONS ?? []).filter((region) => env.DATABASE_URL && !regions.has(region));
  if (unknown.length > 0)
    throw new ConfigurationError(`SERVE_REGIONS: there is no cell of ${unknown.join(', ')}.`);
  for (const cell of env.CELLS) {
    const missing = [
      ...(env.REDIS_URL !== undefined && cell.redisUrl === undefined ? ['redisUrl'] : []),
      ...(env.S3_BUCKET !== undefined && cell.bucket === undefined ? ['bucket'] : []),
    ];
    if (missing.length > 0)
      throw new ConfigurationError(`CELLS: ${cell.name} needs ${missing.join(' and ')} of its own.`);
  }
}

/** The cell that holds the registry. */
export function homeCell(env: Environment): string {
  return env.CELL ?? `${env.REGION}-c1`;
}

/** By id or ARN; what an alias stands for is known to AWS alone. */
export function isSameKmsKey(one: string, other: string): boolean {
  const bare = (id: string): string => id.replace(/^arn:[^/]*:(key\/)?/, '');
  return bare(one) === bare(other);
}

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
  const objects = [env.S3_KMS_KEY_ID, ...env.CELLS.map(({ bucketKmsKeyId }) => bucketKmsKeyId)];
  const { BACKUP_KMS_KEY_ID: backups } = env;
  if (backups !== undefined && objects.some((id) => id !== undefined && isSameKmsKey(id, backups))) {
    throw new ConfigurationError(
      'NODE_ENV=production refuses BACKUP_KMS_KEY_ID to be the key of S3_KMS_KEY_ID: who can read objects must not be able to read backups. Make a key for backups alone.',
    );
  }
  if (env.MODEL_ALLOW_LOOPBACK) {
    throw new ConfigurationError('NODE_ENV=production refuses MODEL_ALLOW_LOOPBACK=true.');
  }
}
