/** What came is not what the provider needs. */
export class Difference extends Error {
  override readonly name = 'Difference';

  constructor(
    message: string,
    /** Where whoever runs the server should look. */
    readonly lookAt: string,
  ) {
    super(message);
  }
}
