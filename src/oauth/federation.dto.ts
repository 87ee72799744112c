import { IsString, IsUrl, Length, MaxLength } from 'class-validator';
import { Optional } from '../platform/http/fields.js';

const URL_OPTIONS = {
  protocols: ['http', 'https'],
  require_protocol: true,
  require_tld: false,
  disallow_auth: true,
};

/** Whose tokens prove the client. All three are compared exactly. */
export class FederationFieldsDto {
  /** `iss` of the token: an address below which `/.well-known/openid-configuration` names the same issuer, and where its keys are. */
  @IsUrl(URL_OPTIONS)
  @MaxLength(1_000)
  issuer!: string;

  /** `sub` of the token. */
  @IsString()
  @Length(1, 1_000)
  subject!: string;

  /** `aud` of the token, which has to be for nobody else; the issuer of this installation's own tokens if not given. */
  @Optional()
  @IsString()
  @Length(1, 1_000)
  audience?: string;
}

export class FederationDto {
  issuer!: string;
  subject!: string;
  audience!: string;
}
