export { run } from './run.js';
export { verifyExport, type Finding, type Tampering, type Verified } from './verify-export.js';
