/** A statement refused before it was sent. */
export class StatementRefused extends Error {
  override readonly name = 'StatementRefused';
}
