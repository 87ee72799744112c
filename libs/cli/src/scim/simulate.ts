import { randomBytes } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { UsageError, type Command } from '../command.js';
import { baseUrl, parsed } from '../server.js';
import { Difference } from './difference.js';
import { Directory } from './directory.js';
import { directoryToken } from './directory-token.js';
import { ENTRA } from './entra-steps.js';
import { OKTA } from './okta-steps.js';
import { Recording } from './recording.js';
import { ScimServer } from './scim-server.js';
import type { Provider, Step } from './steps.js';

const PROVIDERS: Readonly<Record<string, Provider>> = { okta: OKTA, entra: ENTRA };
const DEFAULT_SECONDS = 30;
const LONGEST_SECONDS = 120;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * `wax scim simulate okta|entra`: provisions as that provider does, and takes away what it made. 0: all steps came out as the
 * provider needs; 1: one did not, or something is left.
 */
export const simulate: Command = async (args, surroundings) => {
  const { out } = surroundings;
  const { values, positionals } = parsed(args, {
    url: { type: 'string' },
    token: { type: 'string' },
    'token-file': { type: 'string' },
    list: { type: 'boolean' },
    only: { type: 'string' },
    mark: { type: 'string' },
    record: { type: 'string' },
    timeout: { type: 'string' },
  });
  const provider = providerOf(positionals);
  const steps = chosen(provider, values.only);
  if (values.list) {
    for (const { name, sends } of steps) out(`${name}: ${sends}`);
    return 0;
  }
  const mark = values.mark ?? randomBytes(4).toString('hex');
  if (!/^[a-z0-9]{4,32}$/.test(mark)) throw new UsageError('A mark is 4 to 32 of a-z and 0-9: --mark MARK');
  const server = new ScimServer(
    confidential(baseUrl(values.url)),
    await directoryToken({ token: values.token, file: values['token-file'] }, surroundings),
    secondsOf(values.timeout) * 1000,
  );
  const file = values.record === undefined ? undefined : await created(values.record);
  const recording = new Recording(mark);
  const directory = new Directory(server, mark, (exchange) => recording.add(exchange), provider.profile);
  out(`${provider.title}, ${steps.length} steps, marked ${mark}`);
  try {
    const isAsNeeded = await play(steps, directory, recording, out);
    const isClean = await cleanedUp(directory, recording, out);
    await file?.writeFile(recording.lines(directory.ids));
    return isAsNeeded && isClean ? 0 : 1;
  } finally {
    await file?.close();
  }
};

/** Ends with the first step that comes out differently. */
async function play(
  steps: readonly Step[],
  directory: Directory,
  recording: Recording,
  out: (line: string) => void,
): Promise<boolean> {
  for (const { name, sends, expects, run } of steps) {
    recording.begin(name);
    out(`${name}\n  sends    ${sends}\n  expects  ${expects}`);
    const problem = await run(directory).then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    out(`  came     ${recording.outcome()}`);
    if (problem) {
      const lookAt =
        problem instanceof Difference ? problem.lookAt : 'whether the server is there, and answers in time';
      out(`DIFFERENT in ${name}: ${problem.message}\n  look at  ${lookAt}`);
      return false;
    }
  }
  out(`As ${steps.length === 1 ? 'this step needs' : `these ${steps.length} steps need`} it.`);
  return true;
}

async function cleanedUp(
  directory: Directory,
  recording: Recording,
  out: (line: string) => void,
): Promise<boolean> {
  recording.begin('clean-up');
  const left = await directory.cleanUp();
  for (const one of left) out(`LEFT BEHIND ${one}`);
  return left.length === 0;
}

function providerOf(positionals: readonly string[]): Provider {
  const [name = ''] = positionals;
  const provider = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined;
  if (!provider || positionals.length > 1) throw new UsageError('Say as whom: wax scim simulate okta|entra');
  return provider;
}

function chosen({ steps }: Provider, only: string | undefined): readonly Step[] {
  const found = steps.filter(({ name }) => only === undefined || name === only);
  if (found.length === 0) throw new UsageError('There is no such step; --list names them.');
  return found;
}

/** A token that may take people's access away crosses no network in the clear. */
function confidential(url: URL): URL {
  if (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))) return url;
  throw new UsageError('The server has to be https://, or be this machine.');
}

function secondsOf(text: string | undefined): number {
  const seconds = text === undefined ? DEFAULT_SECONDS : Number(text);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > LONGEST_SECONDS)
    throw new UsageError(`How long to wait for an answer, in seconds: --timeout 1 to ${LONGEST_SECONDS}`);
  return seconds;
}

/** For its owner's eyes, and over nothing that is there. */
async function created(path: string): Promise<FileHandle> {
  return open(path, 'wx', 0o600);
}
