// A process that holds an embedded PostgreSQL, for tests that kill it: prints the connection and waits.
import { startEmbeddedPostgres } from '../../libs/infra/src/embedded/postgres.js';

const [home] = process.argv.slice(2);
if (home === undefined) throw new Error('usage: start-postgres.ts HOME');
// As an application does: it stays to drain, whatever the terminal sends.
process.on('SIGINT', () => process.stdout.write('draining\n'));
const postgres = await startEmbeddedPostgres({ home, onLog: (line) => process.stderr.write(`${line}\n`) });
process.stdout.write(`${JSON.stringify(postgres.connection)}\n`);
setInterval(() => undefined, 60_000);
