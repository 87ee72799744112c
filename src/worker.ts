import 'reflect-metadata';
import { exitWithReason } from './exit-with-reason.js';
import { fitEnvironment } from './platform/config/index.js';

/** The worker process: takes runs from the queue and serves no HTTP. */
try {
  const env = fitEnvironment(process.env, 'worker');
  const { start, stopOnSignal } = await import('./start.js');
  const started = await start(env, 'worker');
  stopOnSignal(started);
  started.log.log('Working on runs.');
} catch (error) {
  exitWithReason(error);
}
