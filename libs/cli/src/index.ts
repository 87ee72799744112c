export { run } from './run.js';
export { type Finding, type Tampering } from './finding.js';
export { verifyExport, type Begins, type Verified } from './verify-export.js';
