import { exportLog, keys, verify } from './audit.js';
import { UsageError, type Command, type Surroundings } from './command.js';

const COMMANDS: Readonly<Record<string, { readonly run: Command; readonly usage: string }>> = {
  'audit export': {
    run: exportLog,
    usage: 'wax audit export --url URL [--from N]          (WAXELL_API_KEY)',
  },
  'audit keys': { run: keys, usage: 'wax audit keys --url URL' },
  'audit verify': { run: verify, usage: 'wax audit verify FILE... --keys FILE [--checkpoint FILE]...' },
};

export const USAGE = `Usage:\n${Object.values(COMMANDS)
  .map(({ usage }) => `  ${usage}`)
  .join('\n')}\n`;

/** Runs a command line. 0: done; 1: what was asked is answered with no; 2: it could not be done. */
export async function run(
  argv: readonly string[],
  surroundings: Surroundings,
  err: (text: string) => void,
): Promise<number> {
  const [room = '', name = '', ...args] = argv;
  if (room === '-h' || room === '--help') {
    surroundings.out(USAGE);
    return 0;
  }
  const command = COMMANDS[`${room} ${name}`];
  try {
    if (!command) throw new UsageError(`There is no command "${`${room} ${name}`.trim()}".`);
    return await command.run(args, surroundings);
  } catch (error) {
    err(`${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof UsageError) err(USAGE);
    return 2;
  }
}
