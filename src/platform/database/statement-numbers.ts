/** Texts of statements by number, for all connections: kept by each of them, long texts would cost more than they save. */
const numbers = new Map<string, number>();
/** Texts that are built anew each time must not fill the memory. */
const MOST_TEXTS = 10_000;
let last = 0;

/** A number that no other text has. Once there are too many, texts that are known get new ones, which is harmless. */
export function numberOf(text: string): number {
  let number = numbers.get(text);
  if (number === undefined) {
    if (numbers.size >= MOST_TEXTS) numbers.clear();
    numbers.set(text, (number = last += 1));
  }
  return number;
}
