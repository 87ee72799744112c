/** Says a figure that a test has measured; nothing hangs on it. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
