import 'reflect-metadata';
import { exitWithReason } from './exit-with-reason.js';
import { fitEnvironment } from './platform/config/index.js';

/** The HTTP process; in embedded mode the only one. What it takes long to load is loaded once the environment is fit. */
try {
  const env = fitEnvironment(process.env, 'main');
  await (await import('./serve.js')).serve(env);
} catch (error) {
  exitWithReason(error);
}
