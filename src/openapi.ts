import 'reflect-metadata';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApiDocument } from './platform/http/openapi.js';
import { fitEnvironment } from './platform/config/index.js';
import { exitWithReason } from './exit-with-reason.js';
import { start } from './start.js';

/** `npm run openapi [FILE]`: writes the OpenAPI document, docs/openapi.json by default. */
const home = await mkdtemp(join(tmpdir(), 'waxell-openapi-'));
// The embedded PostgreSQL may run as another user, who has to pass through.
await chmod(home, 0o711);
try {
  try {
    const file = process.argv[2] ?? 'docs/openapi.json';
    const started = await start(fitEnvironment({ WAXELL_HOME: home, LOG_LEVEL: 'warn' }, 'main'), 'main');
    const document = openApiDocument(started.app, 'https://api.example.com');
    await writeFile(file, `${JSON.stringify(document, null, 2)}\n`);
    await started.stop();
    process.stdout.write(`Wrote ${file}\n`);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
} catch (error) {
  exitWithReason(error);
}
