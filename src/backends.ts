import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AwsKms,
  ChildProcessSandbox,
  CountryDatabase,
  DnsNameServer,
  FileObjectStore,
  HttpBreachRanges,
  LocalKms,
  lockHome,
  MemoryTokenBuckets,
  ModelProviders,
  ObjectEnvelope,
  OutgoingPosts,
  PgBossQueue,
  ProviderRequests,
  S3ObjectStore,
  SmtpMailer,
  startEmbeddedPostgres,
} from '@waxell/infra';
import type { ModelProvider, Sandbox } from '@waxell/runtime';
import type { BackupKey } from './backups/index.js';
import { CellKms, type Kms } from './encryption/index.js';
import type { CountryLookup, TokenBuckets } from './limits/index.js';
import {
  CELL_CAPACITY,
  ConfigurationError,
  DatabaseConfig,
  homeCell,
  refuseSharedCells,
  type Environment,
  type FurtherCell,
} from './platform/config/index.js';
import {
  connectionOf,
  databaseCertificates,
  loginRole,
  LOGINS,
  type CellConfig,
} from './platform/database/index.js';
import { CellObjects, type ObjectStore } from './platform/objects/index.js';
import { CertificateExpiry, clientTls, redisFiles, type TlsFiles } from './platform/tls/index.js';
import { createDatabases } from './platform/database/create-databases.js';
import { keepSecret } from './platform/config/kept-secret.js';
import { writeOnce } from './platform/config/write-once.js';
import type { BreachRanges } from './passwords/index.js';
import type { Mailer, NameServer, OutgoingHttp, ProviderHttp } from './platform/egress/index.js';
import type { Log } from './platform/observability/log.js';
import type { JobQueue } from './runs/index.js';

/** What the application runs on; the composition root binds it to the ports. */
export interface Backends {
  readonly embedded: boolean;
  readonly database: DatabaseConfig;
  readonly kms: CellKms;
  readonly objects: CellObjects;
  readonly models: ModelProvider;
  /** To receivers of events and alerts, which tenants choose. */
  readonly outgoing: OutgoingHttp;
  readonly mailer: Mailer;
  /** Undefined where breached passwords are not looked up. */
  readonly breaches: BreachRanges | undefined;
  /** To identity providers, which tenants choose. */
  readonly providers: ProviderHttp;
  readonly nameServer: NameServer;
  /** The certificates that are presented to the database and to Redis. */
  readonly certificates: CertificateExpiry;
  /** Undefined in production: there the development sandbox refuses to run anything. */
  readonly sandbox: Sandbox | undefined;
  /** Resolves, in words, when the embedded database has ended unasked: nothing works any more. */
  readonly lost: Promise<string>;
  readonly tokenBuckets: TokenBuckets & { open(): Promise<void> };
  /** Undefined where no file of countries is configured. */
  readonly countries: CountryLookup | undefined;
  /** What backups are sealed under: no tenant's key, nor one that those are under. */
  backupKey(): Promise<BackupKey>;
  /** A cell's queue: what a tenant queues stays in its cell. */
  queue(cell: string): JobQueue;
  close(): Promise<void>;
}

type OnRedis = typeof import('@waxell/infra/redis');

const EMBEDDED_REGIONS = ['us-east-1', 'eu-west-1'];

/** Starts the embedded parts, or connects to those that the environment names. */
export async function openBackends(env: Environment, log: Log): Promise<Backends> {
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closing.toReversed()) await end();
  };
  try {
    refuseSharedCells(env);
    const embedded = env.DATABASE_URL === undefined;
    if (embedded) {
      const lock = await lockHome(env.WAXELL_HOME);
      closing.push(() => lock.release());
    }
    const { promise: lost, resolve: onLost } = Promise.withResolvers<string>();
    const cells = embedded ? await startDatabases(env, log, closing, onLost) : configuredCells(env);
    const loginSecret =
      env.DATABASE_LOGIN_SECRET ?? (await keepSecret(join(env.WAXELL_HOME, 'database-login-secret')));
    const pools = { tenant: env.DATABASE_POOL, lane: 4, control: 4, audit: 3 };
    const redis = redisFiles(env);
    const onRedis = usesRedis(env) ? await import('@waxell/infra/redis') : undefined;
    const queues: (JobQueue & { close(): Promise<void> })[] = [];
    closing.push(async () => {
      await Promise.all(queues.map((queue) => queue.close()));
    });
    const tokenBuckets = openTokenBuckets(env, loginSecret, redis, log, onRedis);
    closing.push(() => tokenBuckets.close());
    const countries = await openCountries(env, log);
    closing.push(() => Promise.resolve(countries?.close()));
    const models = modelProviders(env, embedded);
    closing.push(() => models.close());
    const outgoing = new OutgoingPosts({ allowPrivate: env.RECEIVERS_ALLOW ?? [] });
    closing.push(() => outgoing.close());
    const providers = new ProviderRequests({ allowPrivate: env.IDENTITY_PROVIDERS_ALLOW ?? [] });
    closing.push(() => providers.close());
    const mailer = new SmtpMailer({ url: env.SMTP_URL, from: env.MAIL_FROM });
    closing.push(() => Promise.resolve(mailer.close()));
    const breaches =
      (env.PASSWORD_BREACH_CHECK ?? env.NODE_ENV === 'production')
        ? new HttpBreachRanges(env.PASSWORD_BREACH_URL)
        : undefined;
    closing.push(() => breaches?.close() ?? Promise.resolve());
    const kms = await openKms(env, cells);
    return {
      embedded,
      lost,
      database: new DatabaseConfig(cells, loginSecret, pools, env.SPARE_TENANTS),
      kms,
      objects: await openObjects(env, cells, kms, log),
      models,
      outgoing,
      mailer,
      breaches,
      providers,
      nameServer: new DnsNameServer(env.DNS_SERVERS ? { servers: env.DNS_SERVERS } : {}),
      tokenBuckets,
      countries,
      certificates: new CertificateExpiry([...clientCertificates(cells), ...(redis ? [redis] : [])]),
      sandbox:
        env.NODE_ENV === 'production'
          ? undefined
          : new ChildProcessSandbox({ onStderr: (text) => log.debug(`sandbox: ${text}`) }),
      backupKey: () => openBackupKey(env),
      queue: (cell) => {
        const queue = openQueue(env, cells, loginSecret, cell, redis, log, onRedis);
        queues.push(queue);
        return queue;
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startDatabases(
  env: Environment,
  log: Log,
  closing: (() => Promise<void>)[],
  onLost: (how: string) => void,
): Promise<CellConfig[]> {
  const postgres = await startEmbeddedPostgres({
    home: env.WAXELL_HOME,
    onLog: (line) => log.debug(`postgres: ${line}`),
  });
  let stopping = false;
  closing.push(() => {
    stopping = true;
    return postgres.stop();
  });
  void postgres.exited.then((how) => {
    if (!stopping) onLost(how);
  });
  const { host, port, user, password } = postgres.connection;
  const names = EMBEDDED_REGIONS.map((region) => `waxell_${region.replaceAll('-', '_')}`);
  await createDatabases(postgres.connection, names);
  return EMBEDDED_REGIONS.map((region, at) => ({
    name: `${region}-c1`,
    region,
    capacity: CELL_CAPACITY,
    ownerUrl: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${names[at] ?? ''}`,
  }));
}

function configuredCells(env: Environment): CellConfig[] {
  const home = {
    name: homeCell(env),
    region: env.REGION,
    capacity: CELL_CAPACITY,
    ownerUrl: env.DATABASE_URL ?? '',
    ...(env.DATABASE_POOLER_URL !== undefined && { poolerUrl: env.DATABASE_POOLER_URL }),
  };
  return [home, ...env.CELLS.map(({ databaseUrl, ...cell }) => ({ ...cell, ownerUrl: databaseUrl }))];
}

/** What the owner and each login present to the databases. */
function clientCertificates(cells: readonly CellConfig[]): TlsFiles[] {
  return cells.flatMap(({ name, ownerUrl, poolerUrl }) => {
    const url = new URL(ownerUrl);
    const direct = databaseCertificates(url, name, [
      decodeURIComponent(url.username),
      ...LOGINS.map(loginRole),
    ]);
    const pooled =
      poolerUrl === undefined ? [] : databaseCertificates(new URL(poolerUrl), name, LOGINS.map(loginRole));
    return [...direct, ...pooled];
  });
}

function furtherCell(env: Environment, name: string): FurtherCell | undefined {
  return env.CELLS.find((cell) => cell.name === name);
}

/** AWS KMS of each cell's region; without AWS, a master key on this machine for each cell. */
async function openKms(env: Environment, cells: readonly CellConfig[]): Promise<CellKms> {
  const byCell = new Map<string, Kms>();
  for (const [at, { name, region }] of cells.entries()) {
    const kmsRegion = at === 0 ? env.AWS_REGION : (furtherCell(env, name)?.kmsRegion ?? region);
    byCell.set(
      name,
      env.AWS_REGION === undefined || kmsRegion === undefined
        ? await LocalKms.open({ home: cellHome(env, name, at) })
        : new AwsKms({ region: kmsRegion, endpoint: env.AWS_KMS_ENDPOINT }),
    );
  }
  return new CellKms(byCell);
}

/** A key in AWS KMS; without AWS, one in a folder of its own, with a master key of its own. */
async function openBackupKey(env: Environment): Promise<BackupKey> {
  const { AWS_REGION: region, AWS_KMS_ENDPOINT: endpoint, BACKUP_KMS_KEY_ID: keyId } = env;
  if (region !== undefined) {
    if (keyId === undefined)
      throw new ConfigurationError(
        'BACKUP_KMS_KEY_ID must name the key of backups: docs/operations/backups.md.',
      );
    return { kms: new AwsKms({ region, endpoint }), keyId };
  }
  const home = join(env.WAXELL_HOME, 'backup-key');
  const kms = await LocalKms.open({ home });
  const file = join(home, 'key-id');
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known === undefined) await writeOnce(file, await kms.createTenantKey('backups'));
  return { kms, keyId: known ?? (await readFile(file, 'utf8')) };
}

function modelProviders(env: Environment, embedded: boolean): ModelProviders {
  return new ModelProviders({
    openai: { apiKey: env.OPENAI_API_KEY, baseUrl: env.OPENAI_BASE_URL },
    anthropic: { apiKey: env.ANTHROPIC_API_KEY, baseUrl: env.ANTHROPIC_BASE_URL },
    egress: { allowLoopback: env.MODEL_ALLOW_LOOPBACK ?? embedded },
  });
}

/** A bucket of each cell; without one, a folder on this machine for each, in which objects are sealed. */
async function openObjects(
  env: Environment,
  cells: readonly CellConfig[],
  kms: CellKms,
  log: Log,
): Promise<CellObjects> {
  const stores = new Map<string, ObjectStore>();
  for (const [at, { name, region }] of cells.entries()) {
    const further = furtherCell(env, name);
    const [bucket, kmsKeyId] =
      at === 0 ? [env.S3_BUCKET, env.S3_KMS_KEY_ID] : [further?.bucket, further?.bucketKmsKeyId];
    if (bucket !== undefined) {
      stores.set(name, await openBucket(env, { bucket, region, kmsKeyId }, log));
      continue;
    }
    const dir = join(cellHome(env, name, at), 'objects');
    const envelope = await ObjectEnvelope.openFolder(kms.of(name), dir);
    stores.set(name, new FileObjectStore({ dir, envelope }));
  }
  return new CellObjects(stores);
}

/** In production a bucket has Object Lock, or what is to be kept could be deleted by whoever has its keys. */
async function openBucket(
  env: Environment,
  cell: { readonly bucket: string; readonly region: string; readonly kmsKeyId: string | undefined },
  log: Log,
): Promise<S3ObjectStore> {
  const endpoint = env.S3_ENDPOINT;
  // Servers other than AWS's own have no host name for each bucket.
  const options = { ...cell, endpoint, forcePathStyle: endpoint !== undefined };
  const objectLock = await S3ObjectStore.hasObjectLock(options);
  if (!objectLock) {
    const missing = `The bucket ${cell.bucket} has no Object Lock, by which audit logs in cold storage are kept.`;
    if (env.NODE_ENV === 'production')
      throw new ConfigurationError(`${missing} Create one with it: docs/operations/audit.md.`);
    log.warn(missing);
  }
  return new S3ObjectStore({ ...options, objectLock });
}

/** Where a cell keeps what it keeps on this machine: the first one directly in the data folder. */
function cellHome(env: Environment, name: string, at: number): string {
  return at === 0 ? env.WAXELL_HOME : join(env.WAXELL_HOME, 'cells', name);
}

function usesRedis({ REDIS_URL, CELLS }: Environment): boolean {
  return REDIS_URL !== undefined || CELLS.some(({ redisUrl }) => redisUrl !== undefined);
}

/** Counted together where there is a Redis, else by each process. */
function openTokenBuckets(
  env: Environment,
  loginSecret: string,
  redis: TlsFiles | undefined,
  log: Log,
  onRedis: OnRedis | undefined,
): TokenBuckets & { open(): Promise<void>; close(): Promise<void> } {
  if (!onRedis || env.REDIS_URL === undefined) return new MemoryTokenBuckets();
  return new onRedis.RedisTokenBuckets({
    redisUrl: env.REDIS_URL,
    tls: redis && clientTls(redis),
    prefix: 'waxell:limits',
    // A secret that all processes have; of its own, so that nothing of the logins' follows from what is in Redis.
    secret: createHmac('sha256', loginSecret).update('waxell rate limit keys').digest('base64url'),
    onHealth: (reachable, cause) => {
      if (reachable) log.warn('Redis is back: rate limits are counted by all processes together again.');
      else log.error('Redis is lost: each process counts rate limits by itself until it is back', cause);
    },
  });
}

async function openCountries(
  { GEO_DATABASE: file }: Environment,
  log: Log,
): Promise<CountryDatabase | undefined> {
  if (file === undefined) return undefined;
  const onError = (error: Error): void => log.error('the file of countries stays as it was', error);
  return CountryDatabase.open({ file, onError });
}

function openQueue(
  env: Environment,
  cells: readonly CellConfig[],
  secret: string,
  name: string,
  redis: TlsFiles | undefined,
  log: Log,
  onRedis: OnRedis | undefined,
): JobQueue & { close(): Promise<void> } {
  const onError = (error: Error): void => log.error('queue', error, { cell: name });
  const redisUrl = furtherCell(env, name)?.redisUrl ?? env.REDIS_URL;
  if (onRedis && redisUrl !== undefined) {
    const tls = redis && clientTls(redis);
    return new onRedis.BullMqQueue({ redisUrl, tls, prefix: `waxell:${name}`, onError });
  }
  const cell = cells.find((candidate) => candidate.name === name);
  if (!cell) throw new Error(`No cell of the name ${name} is configured.`);
  const { host, port, user, password, database, ssl } = connectionOf(cell.ownerUrl, secret, 'queue');
  return new PgBossQueue({
    connection: {
      host: host ?? '',
      port: port ?? 5432,
      user: user ?? '',
      password: String(password),
      database: database ?? '',
      ssl: ssl,
    },
    schema: 'queue',
    onlyProcess: env.DATABASE_URL === undefined,
    onError,
  });
}
