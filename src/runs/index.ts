export { JobQueue, RunQueues } from './job-queue.js';
export { MoveRuns } from './move-runs.js';
export { RunEntity } from './run.entity.js';
export { RunsModule, RunWorkerModule } from './runs.module.js';
export { RunDispatch } from './run-dispatch.js';
