import { defineConfig } from 'vitest/config';

// Workspace packages are read as source, so that a test never runs against a stale build of them.
const resolve = { conditions: ['waxell-source'] };
const ssr = { resolve: { conditions: ['waxell-source', 'node'] } };

/**
 * Hundreds of processes are started, and some are killed: in CI a test among them that fails is tried once more, and named
 * before the closing line. Elsewhere nothing is, so that whoever works on it sees it; and what must hold of every draw, never.
 */
const RETRY = process.env['CI'] === 'true' ? 1 : 0;

/** Each takes a large part of a minute, most of it for processes of its own. */
const LONG_PROCESSES = [
  'alerts',
  'canaries',
  'cells',
  'certificates',
  'customer-key',
  'edge-country',
  'lifecycle-processes',
  'limits-of-two-processes',
  'mfa-browser',
  'mfa-text-messages',
  'model-endpoints',
  'network-rules',
  'passwords',
  'pooled-database',
  'rate-limits',
  'saml-rollover',
  'saml-simplesamlphp',
  'siem',
  'sign-in-flood',
  'transport',
  'upgrade',
].map((name) => `test/processes/${name}.e2e.ts`);
const LONG = [...LONG_PROCESSES, 'test/integration/kept-backups.int.ts'];

/** Proofs that have a short form elsewhere; there they are in full, unless it is set otherwise. */
const IN_BOTH = [
  'src/access/agreement.spec.ts',
  'src/federation/saml/saml-attacks.spec.ts',
  'test/integration/isolation-property.int.ts',
  'test/processes/fuzzed-input.e2e.ts',
  'test/processes/revoked-channels.e2e.ts',
];
const IN_FULL = Object.fromEntries(
  Object.entries({
    WAXELL_ACCESS_CASES: '100000',
    WAXELL_FUZZED_INPUTS: '60',
    WAXELL_ISOLATION_OPERATIONS: '20000',
    WAXELL_REVOKED_PEOPLE: '100',
    WAXELL_SAML_MUTATIONS: '100000',
  }).map(([name, full]) => [name, process.env[name] ?? full]),
);

export default defineConfig({
  // The nearest tsconfig does not reach test files of every folder: decorators are configured here.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve,
  ssr,
  test: {
    // Most of a test's time is waiting, for processes above all: more than the one worker less than cores that is usual.
    maxWorkers: 3,
    // What a file imports, TypeORM and Nest above all, is loaded once a worker: half of the processor time of short files.
    isolate: false,
    reporters: ['default', './test/support/closing-line.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.spec.ts', 'libs/*/src/**/*.spec.ts'],
          // Beside whatever else the machine does: how long it takes fails nothing.
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'architecture',
          include: ['test/architecture/**/*.arch.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          retry: RETRY,
          include: ['test/integration/**/*.int.ts'],
          exclude: LONG,
          globalSetup: ['test/support/postgres-server.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          retry: RETRY,
          include: ['test/e2e/**/*.e2e.ts'],
          globalSetup: ['test/support/shared-application.ts'],
          testTimeout: 90_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          retry: RETRY,
          // Each file starts processes of its own, to look at them, to configure, to stop or to kill them.
          include: ['test/processes/**/*.e2e.ts'],
          exclude: LONG,
          globalSetup: ['test/support/postgres-server.ts', 'test/support/prepared-home.ts'],
          testTimeout: 90_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'long',
          retry: RETRY,
          // What is killed at step after step, and installations of several processes: `npm run test:long`.
          include: [...LONG, 'test/faults/**/*.fault.ts', ...IN_BOTH],
          env: IN_FULL,
          globalSetup: ['test/support/postgres-server.ts', 'test/support/prepared-home.ts'],
          testTimeout: 180_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
