import { AppModule } from './app.module.js';
import { openBackends } from './backends.js';
import { readEnvironment } from './platform/config/index.js';
import { Log } from './platform/observability/log.js';
import { exitWithReason } from './start.js';

/** `npm run db:migrate`: brings every cell's database to the schema of this version. Safe to repeat. */
try {
  const env = readEnvironment(process.env);
  const backends = await openBackends(env, new Log(env.LOG_LEVEL));
  try {
    let failures = 0;
    for (const [cell, { applied, failed }] of await AppModule.migrate(backends)) {
      process.stdout.write(`${cell}: ${applied} applied, ${failed.length} failed\n`);
      for (const { schema, migration, reason } of failed)
        process.stdout.write(`  ${schema} ${migration}: ${reason}\n`);
      failures += failed.length;
    }
    process.exitCode = failures > 0 ? 1 : 0;
  } finally {
    await backends.close();
  }
} catch (error) {
  exitWithReason(error);
}
