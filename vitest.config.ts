import { defineConfig } from 'vitest/config';

// Workspace packages are read as source, so that a test never runs against a stale build of them.
const resolve = { conditions: ['waxell-source'] };
const ssr = { resolve: { conditions: ['waxell-source', 'node'] } };

export default defineConfig({
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve,
  ssr,
  test: {
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['src/**/*.spec.ts', 'libs/*/src/**/*.spec.ts'] },
      },
    ],
  },
});
