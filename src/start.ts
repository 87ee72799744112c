import { setTimeout as sleep } from 'node:timers/promises';
import { Server } from 'node:tls';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { isPermission } from './access/index.js';
import { AppModule } from './app.module.js';
import { openBackends, type Backends } from './backends.js';
import { FORM_PATHS } from './federation/index.js';
import { OAUTH_FORM_PATHS } from './oauth/index.js';
import { SCIM_BODIES } from './scim/index.js';
import { SET_BODIES } from './shared-signals/index.js';
import { AddressLimit } from './limits/index.js';
import { CreateOrganisation, MendOrganisations } from './organisations/index.js';
import {
  AuthConfig,
  LimitsConfig,
  PasswordConfig,
  SecondFactorConfig,
  ReceiversConfig,
  RegionConfig,
  RetentionConfig,
  WorkerConfig,
  type Environment,
} from './platform/config/index.js';
import { Cells, PLATFORM_TENANT, SpareFiller } from './platform/database/index.js';
import { declaredRoutes, refuseUnknownPermissions } from './platform/http/annotated-routes.js';
import { setUpServer } from './platform/http/server.js';
import { Readiness } from './platform/observability/health.controller.js';
import { Log } from './platform/observability/log.js';
import { CertificateWatch, serverFiles, serverTls, type TlsFiles } from './platform/tls/index.js';

export interface Started {
  readonly app: NestExpressApplication;
  readonly backends: Backends;
  readonly env: Environment;
  readonly log: Log;
  readonly baseUrl: string;
  readonly certificates: CertificateWatch;
  /** Drains and stops everything; resolves when nothing is left running. */
  stop(): Promise<void>;
}

/** Whoever asks for readiness hears of the shutdown before connections are refused. */
const DRAIN_MS = 200;

/** Boots a process in an environment that is fit: everything but listening. */
export async function start(
  env: Environment,
  process: 'main' | 'worker',
  operatorKeyHash?: (home: string) => Promise<Buffer>,
): Promise<Started> {
  const tls = process === 'main' ? serverFiles(env) : undefined;
  const log = new Log(env.LOG_LEVEL);
  const backends = await openBackends(env, log);
  exitWithoutDatabase(backends, log);
  try {
    const baseUrl = env.PUBLIC_URL ?? localUrl(env, env.PORT);
    const hash = env.WAXELL_OPERATOR_KEY_HASH;
    const keyHash = hash === undefined ? await operatorKeyHash?.(env.WAXELL_HOME) : Buffer.from(hash, 'hex');
    const worker =
      process === 'worker' ||
      (env.WORKER ?? (backends.embedded ? 'in-process' : 'separate')) === 'in-process';
    const module = AppModule.compose({
      backends,
      auth: new AuthConfig(baseUrl, keyHash),
      passwords: PasswordConfig.of(env, baseUrl),
      secondFactors: SecondFactorConfig.of(env, baseUrl),
      worker: new WorkerConfig(env.WORKER_CONCURRENCY, backends.embedded),
      limits: LimitsConfig.of(env),
      regions: new RegionConfig(env.SERVE_REGIONS, env.REGION_URLS ?? {}),
      receivers: ReceiversConfig.of(env),
      retention: new RetentionConfig(env.AUDIT_HOT_DAYS, env.AUDIT_COLD_DAYS, {
        hotDays: env.AUDIT_HOT_DAYS_LIMIT,
        coldDays: env.AUDIT_COLD_DAYS_LIMIT,
      }),
      log,
      roles: { http: process === 'main', worker },
    });
    const app = await NestFactory.create<NestExpressApplication>(module, {
      logger: log,
      bodyParser: false,
      abortOnError: false,
      ...(tls && { httpsOptions: serverTls(tls) }),
    });
    refuseUnknownPermissions(declaredRoutes(app), isPermission);
    const addresses = app.get(AddressLimit);
    setUpServer(app, {
      publicUrl: baseUrl,
      trustedProxies: env.TRUSTED_PROXIES,
      forms: [FORM_PATHS, OAUTH_FORM_PATHS],
      texts: [SET_BODIES],
      bodies: SCIM_BODIES,
      admit: (request, response, next) => addresses.admit(request, response, next),
    });
    await prepare(app, backends);
    if (tls) backends.certificates.add(tls);
    const certificates = new CertificateWatch(backends.certificates, log, (files) => {
      if (files === tls) replaceCertificate(app, tls);
    });
    certificates.start();
    const stop = async (): Promise<void> => {
      certificates.stop();
      app.get(Readiness).drain();
      if (process === 'main') await app.get(SpareFiller).stop();
      await sleep(DRAIN_MS);
      await app.close();
      await app.get(Cells).close();
      await backends.close();
    };
    return { app, backends, env, log, baseUrl, certificates, stop };
  } catch (error) {
    await backends.close();
    throw error;
  }
}

/** Connections that are open go on; new ones get the new certificate. */
function replaceCertificate(app: NestExpressApplication, tls: TlsFiles): void {
  const server: unknown = app.getHttpServer();
  if (server instanceof Server) server.setSecureContext(tls.options);
}

/** Where this machine reaches the process. */
export function localUrl(env: Environment, port: number): string {
  return `${env.TLS_CERT_FILE === undefined ? 'http' : 'https'}://localhost:${port}`;
}

/** A process whose database is gone cannot do anything but say so; whoever supervises it starts it again. */
function exitWithoutDatabase(backends: Backends, log: Log): void {
  void backends.lost.then((how) => {
    log.error(
      `The embedded PostgreSQL ended (${how}), and with it this process. Start again: no answer is lost.`,
    );
    process.exit(1);
  });
}

/** What must be there before the first request: the installation's own tenant, and nothing half made. */
async function prepare(app: NestExpressApplication, backends: Backends): Promise<void> {
  await app.init();
  await app.get(CreateOrganisation).installation(PLATFORM_TENANT);
  await app.get(MendOrganisations).execute(backends.embedded);
}

/** Stops on the first SIGINT or SIGTERM; a second one does not wait. With certificates, SIGHUP reads their files again. */
export function stopOnSignal(started: Started): void {
  const { log } = started;
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(130);
    stopping = true;
    log.log(`${signal}: finishing what is at work.`);
    started.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error('shutdown failed', error);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // Without certificates it ends the process, as it does when a terminal is closed.
  if (!started.certificates.needed) return;
  process.on('SIGHUP', () => {
    log.log('SIGHUP: reading the certificates again.');
    started.certificates.reload();
  });
}
