import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { embeddedOperatorKeyHash, firstRun, firstRunFile } from './first-run.js';
import type { Environment } from './platform/config/index.js';
import { localUrl, start, stopOnSignal } from './start.js';

export async function serve(env: Environment): Promise<void> {
  const started = await start(env, 'main', embeddedOperatorKeyHash);
  const { app, backends, log } = started;
  stopOnSignal(started);
  if (backends.embedded) await firstRun(app, env.WAXELL_HOME, started.baseUrl);
  await app.listen(env.PORT, env.HOST);
  const { port } = app.getHttpServer().address() as AddressInfo;
  const baseUrl = env.PUBLIC_URL ?? localUrl(env, port);
  log.log(`Listening on ${baseUrl}`);
  if (backends.embedded) {
    await firstRun(app, env.WAXELL_HOME, baseUrl);
    welcome(baseUrl, firstRunFile(resolve(env.WAXELL_HOME)));
  }
}

/** For the person at the terminal; the logs are for machines. */
function welcome(baseUrl: string, file: string): void {
  process.stderr.write(`
  Waxell runs at ${baseUrl}
  API reference:  ${baseUrl}/docs
  Credentials:    ${file}

  Try it:
    curl ${baseUrl}/v1/me -H "Authorization: Bearer $(node -p 'JSON.parse(fs.readFileSync("${file}")).apiKey')"

`);
}
