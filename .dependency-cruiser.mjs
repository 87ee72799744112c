/** Imports go one way. Each rule says what a room may know of another. */
export default {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'Move the type, or emit an event.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'sdk-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^libs/sdk/src' },
      to: { path: '^(src|libs/(?!sdk))' },
    },
    {
      name: 'transparency-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^libs/transparency/src' },
      to: { path: '^(src|libs/(?!transparency))' },
    },
    {
      name: 'cli-imports-transparency-only',
      severity: 'error',
      from: { path: '^libs/cli/src' },
      to: { path: '^(src|libs/(?!cli|transparency))' },
    },
    {
      name: 'runtime-imports-sdk-only',
      severity: 'error',
      from: { path: '^libs/runtime/src' },
      to: { path: '^(src|libs/(?!sdk|runtime))' },
    },
    { name: 'no-lib-imports-src', severity: 'error', from: { path: '^libs' }, to: { path: '^src' } },
    {
      name: 'infra-by-the-composition-root-only',
      severity: 'error',
      from: { path: '^src', pathNot: '^src/backends\\.ts$' },
      to: { path: '^libs/infra' },
    },
    {
      name: 'libs-by-their-public-file-only',
      severity: 'error',
      from: { path: '^src' },
      to: { path: '^libs/[^/]+/src/(?!index\\.ts$)', pathNot: '^libs/infra/src/redis\\.ts$' },
    },
    {
      name: 'platform-knows-no-room',
      severity: 'error',
      from: { path: '^src/platform' },
      to: { path: '^src/(?!platform)' },
    },
    {
      name: 'rooms-by-their-public-file-only',
      severity: 'error',
      from: { path: '^src/([^/]+)/' },
      to: { path: '^src/(?!platform)[^/]+/(?!index\\.ts$)', pathNot: '^src/$1/' },
    },
    {
      name: 'writing-transactions-by-the-unit-of-work-only',
      severity: 'error',
      comment: 'A mutation and its audit event commit together: use UnitOfWork or RegistryWork.',
      from: { path: '^src', pathNot: '^src/requests/' },
      to: {
        path: '^src/platform/database/(tenant|registry)-transactions\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'connections-in-platform-database-only',
      severity: 'error',
      comment: 'No DataSource and no pool elsewhere: use TenantDatabase.',
      from: { path: '^src', pathNot: '^src/platform/database/' },
      to: { path: '^(node_modules/pg/|node_modules/@nestjs/typeorm)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'what-follows-the-log-is-known-by-nobody',
      severity: 'error',
      comment: 'Requests must not depend on who reads the log afterwards.',
      from: { path: '^src', pathNot: '^src/(siem|detection)/|^src/app\\.module\\.ts$' },
      to: { path: '^src/(siem|detection)/' },
    },
    {
      name: 'no-undeclared-dependency',
      severity: 'error',
      from: { path: '^(src|libs)' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(\\.spec\\.ts$|/dist/)' },
    combinedDependencies: true,
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['waxell-source', 'import', 'node', 'default'],
    },
  },
};
