import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { ModelProvider, Sandbox } from '@waxell/runtime';
import { AccessModule, AuthorizationGuard } from './access/index.js';
import { AgentEntity, AgentsModule, AgentVersionEntity, ProjectEntity } from './agents/index.js';
import { AlertEntity, AlertsModule, ChannelEntity } from './alerts/index.js';
import { AuditModule } from './audit/index.js';
import { ApiKeyEntity, AuthenticationGuard, AuthModule, StepUpGuard, UserEntity } from './auth/index.js';
import type { Backends } from './backends.js';
import { DetectionModule } from './detection/index.js';
import { ExportsModule } from './exports/index.js';
import { DomainsModule } from './domains/index.js';
import { CellKms, EncryptionModule } from './encryption/index.js';
import { ConnectionEntity, FederatedIdentityEntity, FederationModule } from './federation/index.js';
import {
  CountryLookup,
  LimitsModule,
  NetworkRulesGuard,
  SignInLimitGuard,
  TenantLimitGuard,
  TokenBuckets,
} from './limits/index.js';
import { GroupsModule } from './groups/index.js';
import { ImpersonationEntity, ImpersonationModule } from './impersonation/index.js';
import { KeysModule } from './keys/index.js';
import { CELL_MIGRATIONS, TENANT_MIGRATIONS } from './migrations/index.js';
import { MetricsModule } from './metrics/index.js';
import { MfaModule } from './mfa/index.js';
import { MovesModule } from './moves/index.js';
import { ClientEntity, ClientSecretEntity, OAuthModule } from './oauth/index.js';
import { OperationsModule } from './operations/index.js';
import { OrganisationsModule } from './organisations/index.js';
import {
  AuthConfig,
  LimitsConfig,
  PasswordConfig,
  ReceiversConfig,
  RegionConfig,
  RetentionConfig,
  SecondFactorConfig,
  WorkerConfig,
} from './platform/config/index.js';
import {
  Cell,
  Cells,
  Feed,
  Provisioning,
  SpareFiller,
  TenantDatabase,
  TenantErasure,
} from './platform/database/index.js';
import { Gauges } from './platform/observability/gauges.js';
import { HealthController, Readiness } from './platform/observability/health.controller.js';
import { Log } from './platform/observability/log.js';
import { Mailer, NameServer, OutgoingHttp, ProviderHttp } from './platform/egress/index.js';
import { CellObjects, MoveObjects, RetainedObjects, TenantObjects } from './platform/objects/index.js';
import { BreachRanges, PasswordsModule } from './passwords/index.js';
import { PoliciesModule } from './policies/index.js';
import { ProofsModule } from './proofs/index.js';
import { CertificateExpiry } from './platform/tls/index.js';
import { RecoveryModule } from './recovery/index.js';
import { RetentionModule } from './retention/index.js';
import { FailedRequest, RequestsModule, ServeRequest } from './requests/index.js';
import { GrantEntity, RoleEntity, RolesModule } from './roles/index.js';
import { RunEntity, RunQueues, RunsModule, RunWorkerModule } from './runs/index.js';
import { ScimEmailEntity, ScimModule, ScimUserEntity } from './scim/index.js';
import { DestinationEntity, SiemModule } from './siem/index.js';
import { SharedSignalsModule } from './shared-signals/index.js';
import { SignInModule } from './sign-in/index.js';
import { RegionGuard, TenancyModule, TenantGuard } from './tenancy/index.js';

const ENTITIES = [
  UserEntity,
  ApiKeyEntity,
  ProjectEntity,
  AgentEntity,
  AgentVersionEntity,
  RunEntity,
  DestinationEntity,
  AlertEntity,
  ChannelEntity,
  ConnectionEntity,
  FederatedIdentityEntity,
  ClientEntity,
  ClientSecretEntity,
  RoleEntity,
  GrantEntity,
  ImpersonationEntity,
  ScimUserEntity,
  ScimEmailEntity,
];

/** What a request passes, in this order; a reviewer reads the pipeline here. Its address was counted before (`setUpServer`). */
const PIPELINE: Provider[] = [
  { provide: APP_GUARD, useClass: TenantGuard },
  { provide: APP_GUARD, useClass: RegionGuard },
  { provide: APP_GUARD, useClass: NetworkRulesGuard },
  { provide: APP_GUARD, useClass: SignInLimitGuard },
  { provide: APP_GUARD, useClass: AuthenticationGuard },
  { provide: APP_GUARD, useClass: TenantLimitGuard },
  { provide: APP_GUARD, useClass: AuthorizationGuard },
  { provide: APP_GUARD, useClass: StepUpGuard },
  { provide: APP_GUARD, useClass: ServeRequest },
  { provide: APP_FILTER, useClass: FailedRequest },
];

export interface Composition {
  readonly backends: Backends;
  readonly auth: AuthConfig;
  readonly passwords: PasswordConfig;
  readonly secondFactors: SecondFactorConfig;
  readonly worker: WorkerConfig;
  readonly limits: LimitsConfig;
  readonly regions: RegionConfig;
  readonly receivers: ReceiversConfig;
  readonly retention: RetentionConfig;
  readonly log: Log;
  /** What this process does: serve HTTP, work on runs, or both. */
  readonly roles: { readonly http: boolean; readonly worker: boolean };
}

/** The composition root: the only place that binds adapters to ports. */
@Module({})
export class AppModule {
  /** Lends the owner's work to a process that has nothing else open: `npm run db:migrate`. */
  static async provision<T>(
    backends: Backends,
    ownerConnections: number,
    work: (provisioning: Provisioning, cells: Cells) => Promise<T>,
  ): Promise<T> {
    const cells = cellsOf(backends.database, () => undefined);
    const provisioning = provisioningOf(cells, backends.database, ownerConnections);
    try {
      return await work(provisioning, cells);
    } finally {
      await provisioning.close();
      await cells.close();
    }
  }

  static compose(composition: Composition): DynamicModule {
    const { backends, log, roles } = composition;
    // Without a sandbox a worker would take every run up again and again, and finish none.
    const works = roles.worker && backends.sandbox !== undefined;
    if (roles.worker && !works) log.warn('There is no sandbox for production yet: runs wait.');
    return {
      module: AppModule,
      imports: [
        BackendsModule.bind(composition),
        // Routes are tried in this order: those that are called most come first.
        AgentsModule,
        RunsModule,
        ScimModule,
        EncryptionModule,
        AuditModule,
        ProofsModule,
        RetentionModule,
        SiemModule,
        ExportsModule,
        AlertsModule,
        DetectionModule,
        RequestsModule,
        TenancyModule,
        LimitsModule,
        AccessModule,
        SignInModule,
        PasswordsModule,
        AuthModule,
        MfaModule,
        RolesModule,
        PoliciesModule,
        ImpersonationModule,
        RecoveryModule,
        DomainsModule,
        FederationModule,
        GroupsModule,
        OAuthModule,
        SharedSignalsModule,
        OperationsModule,
        OrganisationsModule,
        MovesModule,
        KeysModule,
        MetricsModule,
        ...(works ? [RunWorkerModule] : []),
      ],
      controllers: [HealthController],
      providers: [Readiness, ...PIPELINE, ...(roles.http ? [spareFiller(backends)] : [])],
    };
  }
}

function provisioningOf(
  cells: Cells,
  { loginSecret }: Backends['database'],
  ownerConnections?: number,
): Provisioning {
  const classes = { cell: CELL_MIGRATIONS, tenant: TENANT_MIGRATIONS };
  return new Provisioning(cells, loginSecret, classes, ownerConnections);
}

/** For the process that creates organisations. */
function spareFiller({ database }: Backends): Provider {
  return {
    provide: SpareFiller,
    inject: [Cells, Provisioning, Log],
    useFactory: (cells: Cells, provisioning: Provisioning, log: Log) =>
      new SpareFiller(cells, provisioning, log, database.spares),
  };
}

function cellsOf(
  { cells, loginSecret, pools }: Backends['database'],
  onError: (error: Error) => void,
): Cells {
  return new Cells(cells.map((cell) => new Cell(cell, loginSecret, pools, ENTITIES, onError)));
}

/** The parts that the rest is built on, as the environment chose them. */
@Module({})
class BackendsModule {
  static bind({
    backends,
    auth,
    passwords,
    secondFactors,
    worker,
    limits,
    regions,
    receivers,
    retention,
    log,
  }: Composition): DynamicModule {
    const opened = cellsOf(backends.database, (error) => log.error('database connection lost', error));
    const provisioning = provisioningOf(opened, backends.database);
    const providers: Provider[] = [
      { provide: Log, useValue: log },
      { provide: AuthConfig, useValue: auth },
      { provide: PasswordConfig, useValue: passwords },
      { provide: SecondFactorConfig, useValue: secondFactors },
      { provide: BreachRanges, useValue: backends.breaches ?? null },
      { provide: WorkerConfig, useValue: worker },
      { provide: RegionConfig, useValue: regions },
      { provide: ReceiversConfig, useValue: receivers },
      { provide: OutgoingHttp, useValue: backends.outgoing },
      { provide: Mailer, useValue: backends.mailer },
      { provide: ProviderHttp, useValue: backends.providers },
      { provide: NameServer, useValue: backends.nameServer },
      { provide: RetentionConfig, useValue: retention },
      { provide: CellKms, useValue: backends.kms },
      { provide: CellObjects, useValue: backends.objects },
      { provide: LimitsConfig, useValue: limits },
      { provide: CountryLookup, useValue: backends.countries ?? null },
      {
        provide: TokenBuckets,
        useFactory: async () => {
          await backends.tokenBuckets.open();
          return backends.tokenBuckets;
        },
      },
      { provide: CertificateExpiry, useValue: backends.certificates },
      { provide: ModelProvider, useValue: backends.models },
      { provide: Sandbox, useValue: backends.sandbox ?? null },
      {
        provide: Cells,
        useFactory: async () => {
          // Embedded, this process is the only one; elsewhere an operator migrates first, and this finds nothing to do.
          for (const { schema, migration, reason } of await provisioning.requireCurrent(backends.embedded))
            log.error(`Tenant ${schema} is not served: ${migration} failed. ${reason}`);
          await opened.open();
          return opened;
        },
      },
      { provide: Provisioning, useValue: provisioning },
      {
        provide: RunQueues,
        inject: [Cells],
        useFactory: () =>
          new RunQueues(new Map(opened.all().map(({ name }) => [name, backends.queue(name)]))),
      },
      {
        provide: Feed,
        inject: [Cells],
        useFactory: async () => {
          const feed = new Feed(opened, log);
          await feed.open();
          return feed;
        },
      },
      Gauges,
      TenantDatabase,
      TenantErasure,
      TenantObjects,
      RetainedObjects,
      MoveObjects,
    ];
    const exports = [
      Log,
      Gauges,
      AuthConfig,
      PasswordConfig,
      SecondFactorConfig,
      BreachRanges,
      WorkerConfig,
      RegionConfig,
      ReceiversConfig,
      OutgoingHttp,
      Mailer,
      ProviderHttp,
      NameServer,
      RetentionConfig,
      CellKms,
      CellObjects,
      CertificateExpiry,
      TenantObjects,
      LimitsConfig,
      CountryLookup,
      TokenBuckets,
      ModelProvider,
      Sandbox,
      Cells,
      Provisioning,
      RunQueues,
      Feed,
      TenantDatabase,
      TenantErasure,
      RetainedObjects,
      MoveObjects,
    ];
    return { module: BackendsModule, global: true, providers, exports };
  }
}
