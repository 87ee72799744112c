import { run } from './run.js';

process.exitCode = await run(
  process.argv.slice(2),
  {
    env: process.env,
    out: (line) => process.stdout.write(`${line}\n`),
    input: process.stdin,
    stream: process.stdout,
  },
  (text) => process.stderr.write(text),
);
