import { rm } from 'node:fs/promises';
import type { TestProject } from 'vitest/node';
import { Application, newHome } from './application.js';
import { asSuperuser, embeddedServer, REGIONS } from './embedded-database.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';
import { spareTheDisk } from './test-postgres.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** A data folder after a first start with the defaults, stopped: for copies of it. */
    preparedHome: string;
  }
}

/** One first start for all tests that look at something else: each copy starts in half of its processor time (measured). */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = await newHome();
  const application = new Application(home, await freePort(), {});
  await application.start();
  for (const region of REGIONS) await eventually(() => requireSpares(home, region), 30_000);
  await spareTheDisk(await embeddedServer(home));
  await application.stop();
  project.provide('preparedHome', home);
  return () => rm(home, { recursive: true, force: true });
}

/** With what the background makes after each start, no copy has to make it. */
async function requireSpares(home: string, region: (typeof REGIONS)[number]): Promise<void> {
  const built = await asSuperuser(home, region, (database) =>
    database.query('SELECT 1 FROM migrations.spares WHERE claimed_at IS NULL'),
  );
  if ((built.rowCount ?? 0) < 2) throw new Error(`The spares of ${region} are not built.`);
}
