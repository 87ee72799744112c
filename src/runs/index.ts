export { JobQueue, RunQueues } from './job-queue.js';
export { RunEntity } from './run.entity.js';
export { RunsModule, RunWorkerModule } from './runs.module.js';
export { RunDispatch } from './run-dispatch.js';
