import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from '../../src/app.module.js';
import type { Backends } from '../../src/backends.js';
import {
  AuthConfig,
  DatabaseConfig,
  LimitsConfig,
  PasswordConfig,
  readEnvironment,
  ReceiversConfig,
  RegionConfig,
  RetentionConfig,
  SecondFactorConfig,
  WorkerConfig,
} from '../../src/platform/config/index.js';
import { Log } from '../../src/platform/observability/log.js';

/** The whole application as it is composed, with nothing constructed and nothing connected: for looking at what is declared. */
export function previewedApplication(): Promise<INestApplication> {
  const cells = [
    {
      name: 'us-east-1-c1',
      region: 'us-east-1',
      capacity: 1,
      ownerUrl: 'postgres://nobody@nowhere.invalid/none',
    },
  ];
  const unused = (): never => {
    throw new Error('A previewed application uses no backend.');
  };
  const backends = {
    embedded: true,
    database: new DatabaseConfig(cells, 'x'.repeat(32), { tenant: 2, lane: 1, control: 1, audit: 1 }, 0),
    queue: unused,
    close: unused,
  } as unknown as Backends;
  const module = AppModule.compose({
    backends,
    auth: new AuthConfig('http://localhost', undefined),
    passwords: PasswordConfig.of(readEnvironment({}), 'http://localhost'),
    secondFactors: SecondFactorConfig.of(readEnvironment({}), 'http://localhost'),
    worker: new WorkerConfig(1, true),
    limits: LimitsConfig.of(readEnvironment({})),
    regions: new RegionConfig(undefined, {}),
    receivers: new ReceiversConfig(false, false),
    retention: new RetentionConfig(90, 365, { hotDays: 365, coldDays: 3_650 }),
    log: new Log('silent'),
    roles: { http: true, worker: true },
  });
  return NestFactory.create(module, { preview: true, logger: false, abortOnError: false });
}
