/** RFC 8935 section 2.3. */
export class SetErrorDto {
  /** `invalid_request`, `invalid_key`, `invalid_issuer`, `invalid_audience`, `authentication_failed` or `access_denied`. */
  err!: string;
  description!: string;
  /** As of a problem of any other route. */
  code!: string;
}
