import 'reflect-metadata';
import { exitWithReason, start, stopOnSignal } from './start.js';

/** The worker process: takes runs from the queue and serves no HTTP. */
try {
  const started = await start(process.env, 'worker');
  stopOnSignal(started);
  started.log.log('Working on runs.');
} catch (error) {
  exitWithReason(error);
}
