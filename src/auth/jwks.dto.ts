import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean } from 'class-validator';
import { Optional } from '../platform/http/fields.js';

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

export class RotateSigningKeysDto {
  /** Whether somebody else may have the keys of now: they, and every access token, are dead at once. */
  @Optional()
  @IsBoolean()
  compromised?: boolean;
}

export class RotatedSigningKeyDto {
  kid!: string;
  /** From then on it signs; it is published already. */
  @ApiProperty({ format: 'date-time' })
  signsFrom!: string;
}
