import { join } from 'node:path';
import {
  AwsKms,
  BullMqQueue,
  ChildProcessSandbox,
  LocalKms,
  lockHome,
  ModelProviders,
  PgBossQueue,
  startEmbeddedPostgres,
} from '@waxell/infra';
import type { ModelProvider, Sandbox } from '@waxell/runtime';
import type { Kms } from './encryption/index.js';
import { ConfigurationError, DatabaseConfig, type Environment } from './platform/config/index.js';
import { connectionOf, type CellConfig } from './platform/database/index.js';
import { createDatabases } from './platform/database/create-databases.js';
import { keepSecret } from './platform/config/kept-secret.js';
import type { Log } from './platform/observability/log.js';
import type { JobQueue } from './runs/index.js';

/** What the application runs on; the composition root binds it to the ports. */
export interface Backends {
  readonly embedded: boolean;
  readonly database: DatabaseConfig;
  readonly kms: Kms;
  readonly models: ModelProvider;
  /** Undefined in production: there the development sandbox refuses to run anything. */
  readonly sandbox: Sandbox | undefined;
  /** Resolves, in words, when the embedded database has ended unasked: nothing works any more. */
  readonly lost: Promise<string>;
  /** A region's queue: what a tenant queues stays in its region. */
  queue(region: string): JobQueue;
  close(): Promise<void>;
}

const EMBEDDED_REGIONS = ['us-east-1', 'eu-west-1'];

/** Starts the embedded parts, or connects to those that the environment names. */
export async function openBackends(env: Environment, log: Log): Promise<Backends> {
  const closing: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closing.toReversed()) await end();
  };
  try {
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
    const queues: (JobQueue & { close(): Promise<void> })[] = [];
    closing.push(async () => {
      await Promise.all(queues.map((queue) => queue.close()));
    });
    const models = modelProviders(env, embedded);
    closing.push(() => models.close());
    return {
      embedded,
      lost,
      database: new DatabaseConfig(cells, loginSecret, pools),
      kms:
        env.AWS_REGION === undefined
          ? await LocalKms.open({ home: env.WAXELL_HOME })
          : new AwsKms({ region: env.AWS_REGION, endpoint: env.AWS_KMS_ENDPOINT }),
      models,
      sandbox:
        env.NODE_ENV === 'production'
          ? undefined
          : new ChildProcessSandbox({ onStderr: (text) => log.debug(`sandbox: ${text}`) }),
      queue: (region) => {
        const queue = openQueue(env, cells, loginSecret, region, log);
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
    region,
    ownerUrl: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${names[at] ?? ''}`,
  }));
}

function configuredCells(env: Environment): CellConfig[] {
  const databases = { [env.REGION]: env.DATABASE_URL ?? '', ...env.MORE_REGIONS };
  const { DATABASE_POOLER_URL: home } = env;
  const poolers: Record<string, string> = {
    ...(home !== undefined && { [env.REGION]: home }),
    ...env.MORE_POOLERS,
  };
  const unknown = Object.keys(poolers).filter((region) => !(region in databases));
  if (unknown.length > 0)
    throw new ConfigurationError(`MORE_POOLERS names regions without a database: ${unknown.join(', ')}.`);
  return Object.entries(databases).map(([region, ownerUrl]) => {
    const poolerUrl = poolers[region];
    return { region, ownerUrl, ...(poolerUrl !== undefined && { poolerUrl }) };
  });
}

function modelProviders(env: Environment, embedded: boolean): ModelProviders {
  return new ModelProviders({
    openai: { apiKey: env.OPENAI_API_KEY, baseUrl: env.OPENAI_BASE_URL },
    anthropic: { apiKey: env.ANTHROPIC_API_KEY, baseUrl: env.ANTHROPIC_BASE_URL },
    egress: { allowLoopback: env.MODEL_ALLOW_LOOPBACK ?? embedded },
  });
}

function openQueue(
  env: Environment,
  cells: readonly CellConfig[],
  secret: string,
  region: string,
  log: Log,
): JobQueue & { close(): Promise<void> } {
  const onError = (error: Error): void => log.error('queue', error, { region });
  if (env.REDIS_URL !== undefined)
    return new BullMqQueue({ redisUrl: env.REDIS_URL, prefix: `waxell:${region}`, onError });
  const cell = cells.find((candidate) => candidate.region === region);
  if (!cell) throw new Error(`No database is configured for region ${region}.`);
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
