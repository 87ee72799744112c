// Preloaded into an application whose clock a test moves: on SIGUSR2 it reads from a file how many milliseconds the
// process's clocks are ahead. PostgreSQL's clock stays as it is.
import { readFileSync } from 'node:fs';

const file = process.env.TEST_CLOCK_FILE;
const RealDate = Date;
let ahead = 0;

globalThis.Date = class extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [RealDate.now() + ahead] : given));
  }
  static now() {
    return RealDate.now() + ahead;
  }
};
// What measures how long something has been in memory goes with it.
const steady = performance.now.bind(performance);
performance.now = () => steady() + ahead;
process.on('SIGUSR2', () => {
  ahead = Number(readFileSync(file, 'utf8'));
});
