import { askHidden } from './ask-hidden.js';
import { run } from './run.js';

process.exitCode = await run(
  process.argv.slice(2),
  {
    env: process.env,
    out: (line) => process.stdout.write(`${line}\n`),
    input: process.stdin,
    stream: process.stdout,
    // Questions are no data: they must not get into what standard output is piped to.
    ...(process.stdin.isTTY && {
      askHidden: (question: string) => askHidden(process.stdin, process.stderr, question),
    }),
  },
  (text) => process.stderr.write(text),
);
