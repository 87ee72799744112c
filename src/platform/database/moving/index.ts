export { copyRows, copyTable } from './copy-rows.js';
export { CopyDiffers, reconcile, reconcileExactly } from './compare-tables.js';
export { inOneTransaction, withMoveSession, withMoveSessions, type MoveSessions } from './move-sessions.js';
export { copySequences, requireSameMigrations, tablesOf, type TenantTable } from './tenant-tables.js';
export {
  forgetPause,
  pauseWrites,
  resumeWrites,
  stopReads,
  WriterDidNotEnd,
  writersEnded,
} from './write-pause.js';
