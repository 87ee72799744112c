import { exportLog, keys, verify } from './audit.js';
import { attachKey, cancelDeletion, deleteKeys, detachKey, listKeys, rotate, rotateAfter } from './keys.js';
import { simulate } from './scim/simulate.js';
import { UsageError, type Command, type Surroundings } from './command.js';

/** What needs a person who proves to be it; a password or code is never an argument, which every process of the machine can read. */
const PERSON =
  '--url URL --organisation SLUG --email ADDRESS (WAXELL_PASSWORD, with a second factor WAXELL_SECOND_FACTOR)';

const COMMANDS: Readonly<Record<string, { readonly run: Command; readonly usage: string }>> = {
  'audit export': {
    run: exportLog,
    usage: 'wax audit export --url URL [--from N]          (WAXELL_API_KEY)',
  },
  'audit keys': { run: keys, usage: 'wax audit keys --url URL' },
  'keys list': { run: listKeys, usage: 'wax keys list --url URL                           (WAXELL_API_KEY)' },
  'keys rotate': { run: rotate, usage: `wax keys rotate ${PERSON}` },
  'keys rotate-after': { run: rotateAfter, usage: `wax keys rotate-after DAYS ${PERSON}` },
  'keys attach': { run: attachKey, usage: `wax keys attach ARN [--hold] ${PERSON}` },
  'keys detach': { run: detachKey, usage: `wax keys detach ${PERSON}` },
  'keys delete': { run: deleteKeys, usage: `wax keys delete --wait-days N --confirm SLUG ${PERSON}` },
  'keys cancel-deletion': { run: cancelDeletion, usage: `wax keys cancel-deletion ${PERSON}` },
  'scim simulate': {
    run: simulate,
    usage:
      'wax scim simulate okta|entra --url URL (--token - | --token-file FILE | WAXELL_SCIM_TOKEN) [--list] [--only STEP] [--mark MARK] [--record FILE] [--timeout SECONDS]',
  },
  'audit verify': {
    run: verify,
    usage:
      'wax audit verify FILE... --keys FILE [--checkpoint FILE]... [--publication FILE]... [--begins-after N]',
  },
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
