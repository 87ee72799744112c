import { Module } from '@nestjs/common';
import { ExecuteQueuedRun } from './execute-queued-run.js';
import { GuardAttempt } from './guard-attempt.js';
import { MoveRuns } from './move-runs.js';
import { RunCreators } from './run-creator.js';
import { RunDispatch } from './run-dispatch.js';
import { RunEvents } from './run-events.js';
import { RunWorker } from './run-worker.js';
import { Runs } from './runs.js';
import { RunsController } from './runs.controller.js';
import { WatchRun } from './watch-run.js';

@Module({
  controllers: [RunsController],
  providers: [MoveRuns, RunDispatch, RunEvents, Runs, WatchRun],
  exports: [MoveRuns, RunDispatch, RunEvents],
})
export class RunsModule {}

/** Works on runs; part of the worker process, and of the only process in embedded mode. */
@Module({ imports: [RunsModule], providers: [ExecuteQueuedRun, GuardAttempt, RunCreators, RunWorker] })
export class RunWorkerModule {}
