/** A public RSA key (RFC 7517). */
export class JwkDto {
  kty!: string;
  n!: string;
  e!: string;
  kid!: string;
  alg!: string;
  use!: string;
}

export class JwksDto {
  keys!: JwkDto[];
}
