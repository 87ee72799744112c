import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { UsageError } from './command.js';

/** Far longer than any event. */
const LONGEST_LINE = 64 * 1_048_576;

/** The lines of several files one after the other, as many at a time as have been read; `.gz` is opened. */
export async function* linesOf(files: readonly string[]): AsyncGenerator<readonly string[]> {
  for (const file of files) {
    const bytes = createReadStream(file);
    const input = file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
    // A stream that fails elsewhere in a pipe ends nothing by itself.
    bytes.once('error', (error) => input.destroy(error));
    yield* linesIn(input.setEncoding('utf8') as AsyncIterable<string>);
  }
}

/**
 * A line ends with a line feed and nothing else: what Unicode separates lines by besides stands in the strings of JSON as it
 * is, and `readline` would cut them there.
 */
export async function* linesIn(texts: AsyncIterable<string>): AsyncGenerator<readonly string[]> {
  let rest = '';
  for await (const text of texts) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_LINE) throw new UsageError('A line of the file is too long to be an event.');
    yield lines;
  }
  if (rest !== '') yield [rest];
}
