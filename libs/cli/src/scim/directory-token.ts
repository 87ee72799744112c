import { open } from 'node:fs/promises';
import { UsageError, type Surroundings } from '../command.js';

export const TOKEN_VARIABLE = 'WAXELL_SCIM_TOKEN';
const LONGEST = 8192;
const WAYS = `--token - (from standard input), --token-file FILE, or ${TOKEN_VARIABLE} in the environment`;

/** From where the token of the directory is to come. */
interface Source {
  /** `-`, and nothing else: arguments can be read by every process of a machine. */
  readonly token?: string | undefined;
  readonly file?: string | undefined;
}

/** @throws {UsageError} */
export async function directoryToken({ token, file }: Source, { env, input }: Surroundings): Promise<string> {
  if (token !== undefined && token !== '-')
    throw new UsageError(
      `A token among the arguments can be read by every process of this machine, and stays in the history of your shell: revoke this one. Say it by ${WAYS}.`,
    );
  if (token !== undefined && file !== undefined)
    throw new UsageError('The token comes from --token - or from --token-file FILE, not from both.');
  if (token !== undefined) return oneToken(await firstOf(input ?? []), 'Standard input has');
  if (file !== undefined) return oneToken(await beginningOf(file), 'The file has');
  const said = env[TOKEN_VARIABLE];
  if (said === undefined) throw new UsageError(`Say where the token of the directory is: ${WAYS}.`);
  return oneToken(Buffer.from(said), `${TOKEN_VARIABLE} has`);
}

function oneToken(bytes: Buffer, where: string): string {
  const token = bytes.toString('utf8').trim();
  if (bytes.length <= LONGEST && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError(`${where} to have one token, and nothing else.`);
}

async function firstOf(input: AsyncIterable<Uint8Array | string> | readonly never[]): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of input) {
    bytes = Buffer.concat([bytes, Buffer.from(chunk)]);
    if (bytes.length > LONGEST) break;
  }
  return bytes;
}

async function beginningOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST + 1), 0, LONGEST + 1, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
