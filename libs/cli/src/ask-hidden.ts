import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Asks a question at a terminal. What is typed is neither shown nor kept. */
export function askHidden(
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  question: string,
): Promise<string> {
  output.write(question);
  // As a terminal readline takes over the echo, and writes it here.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  return new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    lines.once('SIGINT', () => reject(new Error('Nothing was done.')));
    lines.once('close', () => reject(new Error('Nothing was typed in.')));
  }).finally(() => {
    lines.close();
    output.write('\n');
  });
}
