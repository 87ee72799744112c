import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { preparedHome, startApplication, type Application } from './application.js';

const PRELOAD = fileURLToPath(new URL('shifted-clock.mjs', import.meta.url));

/** An application whose clock can be moved. */
export async function startWithClock(): Promise<{
  app: Application;
  /** Moves the process's clock to so many milliseconds ahead of the machine's. */
  setAhead: (milliseconds: number) => Promise<void>;
}> {
  const home = await preparedHome();
  const file = join(home, 'clock');
  const app = await startApplication({
    home,
    env: { NODE_OPTIONS: `--import=${PRELOAD}`, TEST_CLOCK_FILE: file },
  });
  return {
    app,
    setAhead: async (milliseconds) => {
      await writeFile(file, String(milliseconds));
      process.kill(app.pid, 'SIGUSR2');
      await sleep(100);
    },
  };
}
