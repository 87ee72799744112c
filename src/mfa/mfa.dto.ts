import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsObject, IsString, Length, Matches, MaxLength } from 'class-validator';
import { Optional } from '../platform/http/fields.js';
import { FACTOR_TYPES } from './factors.js';

export const METHODS = [...FACTOR_TYPES, 'recovery_code'] as const;

/** What proves a second factor: one of these. */
export class ShownFactorDto {
  /** Six digits of an authenticator app. */
  @Optional()
  @Matches(/^\d{6}$/, { message: 'totp must be six digits' })
  @ApiProperty({ type: 'string', required: false, example: '287082' })
  totp?: string;

  /** What `navigator.credentials.get()` has given, as its `toJSON()` says it. */
  @Optional()
  @IsObject()
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  webauthn?: object;

  /** Six digits of the text message that was last sent for the challenge. */
  @Optional()
  @Matches(/^\d{6}$/, { message: 'sms must be six digits' })
  @ApiProperty({ type: 'string', required: false, example: '287082' })
  sms?: string;

  /** One of the codes that were shown once. It works once. */
  @Optional()
  @IsString()
  @Length(16, 40)
  recoveryCode?: string;
}

export class CompleteSignInDto extends ShownFactorDto {
  /** Of the answer to the sign-in. */
  @IsString()
  @MaxLength(100)
  challenge!: string;

  /** Whether this browser is to be believed from now on, for as long as the organisation allows it. */
  @Optional()
  @IsBoolean()
  trustDevice?: boolean;
}

export class ChallengeDto {
  @IsString()
  @MaxLength(100)
  challenge!: string;
}

export class StepUpDto extends ShownFactorDto {
  /** The password of whoever is signed in and has no second factor. */
  @Optional()
  @IsString()
  @Length(1, 256)
  password?: string;

  /** With `webauthn` and `sms`: of the answer of POST /v1/auth/step-up/options. */
  @Optional()
  @IsString()
  @MaxLength(100)
  challenge?: string;
}

export class SteppedUpDto {
  /** Seconds for which it counts. */
  expiresIn!: number;
}

export class SecondFactorDueDto {
  /** For POST /v1/auth/second-factor: works once, from this browser and network. */
  challenge!: string;
  /** Seconds until it does not work any more. */
  expiresIn!: number;
  /** What may prove it. */
  @ApiProperty({ enum: METHODS, isArray: true })
  methods!: string[];
  /** With the method `webauthn`: for `navigator.credentials.get()`, by `parseRequestOptionsFromJSON()`. */
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  webauthn?: object;
}

export class StepUpOptionsDto {
  /** What may prove it: `password` where there is no second factor. */
  @ApiProperty({ enum: [...METHODS, 'password'], isArray: true })
  methods!: string[];
  /** With the methods `webauthn` and `sms`. */
  challenge?: string;
  /** Seconds until the challenge does not work any more. */
  expiresIn?: number;
  /** For `navigator.credentials.get()`. */
  @ApiPropertyOptional({ type: 'object', additionalProperties: true })
  webauthn?: object;
}

export class NameFactorDto {
  /** What its person calls it. */
  @IsString()
  @Length(1, 100)
  name!: string;
}

export class OptionallyNamedDto {
  /** What its person calls it. */
  @Optional()
  @IsString()
  @Length(1, 100)
  @ApiProperty({ type: 'string', required: false, minLength: 1, maxLength: 100 })
  name?: string;
}

export class BegunTotpDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** Base32, to be typed into an app. It is shown this once. */
  secret!: string;
  /** The same as `otpauth://`. */
  uri!: string;
  /** The URI as a QR code, SVG. */
  qrCode!: string;
  /** Seconds within which the first code has to come. */
  expiresIn!: number;
}

export class ConfirmTotpDto {
  /** A code that the app shows. */
  @Matches(/^\d{6}$/, { message: 'code must be six digits' })
  @ApiProperty({ example: '287082' })
  code!: string;
}

export class BegunWebauthnDto {
  /** To be sent back with what the key has made: works once, in this session. */
  challenge!: string;
  /** Seconds until it does not work any more. */
  expiresIn!: number;
  /** For `navigator.credentials.create()`, by `parseCreationOptionsFromJSON()`. */
  @ApiProperty({ type: 'object', additionalProperties: true })
  options!: object;
}

export class EnrolWebauthnDto extends OptionallyNamedDto {
  @IsString()
  @MaxLength(100)
  challenge!: string;

  /** What `navigator.credentials.create()` has given, as its `toJSON()` says it. */
  @IsObject()
  @ApiProperty({ type: 'object', additionalProperties: true })
  credential!: object;
}

export class PasskeyOptionsDto {
  /** To be sent back with what the passkey has signed: works once, from this browser and network. */
  challenge!: string;
  /** Seconds until it does not work any more. */
  expiresIn!: number;
  /** For `navigator.credentials.get()`, by `parseRequestOptionsFromJSON()`. */
  @ApiProperty({ type: 'object', additionalProperties: true })
  webauthn!: object;
}

export class SignInWithPasskeyDto {
  @IsString()
  @MaxLength(100)
  challenge!: string;

  /** What `navigator.credentials.get()` has given, as its `toJSON()` says it. */
  @IsObject()
  @ApiProperty({ type: 'object', additionalProperties: true })
  webauthn!: object;
}

export class SecondFactorDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ enum: FACTOR_TYPES })
  type!: string;
  name!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time', required: false })
  lastUsedAt?: string;
  /** Of a security key: its model. */
  aaguid?: string;
  /** Of a security key: whether it may be copied to other devices of its person. */
  backedUp?: boolean;
}

export class EnrolledDto extends SecondFactorDto {
  /** With the first factor: codes for when it is lost. They are shown this once. */
  @ApiProperty({ type: [String], required: false })
  recoveryCodes?: string[];
}

export class RecoveryCodesDto {
  /** They take the place of all former ones, and are shown this once. */
  recoveryCodes!: string[];
}

export class SecondFactorsDto {
  items!: SecondFactorDto[];
  recoveryCodesLeft!: number;
  /** Whether the organisation asks this person for a second factor. */
  required!: boolean;
  /** From when on nothing else can be done without one. */
  @ApiProperty({ format: 'date-time', required: false })
  requiredFrom?: string;
}

export class TrustedDeviceDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** From where it was trusted. */
  address!: string;
  userAgent!: string;
  @ApiProperty({ format: 'date-time' })
  provedAt!: string;
  @ApiProperty({ format: 'date-time' })
  lastUsedAt!: string;
  @ApiProperty({ format: 'date-time' })
  expiresAt!: string;
}

export class TrustedDevicesDto {
  items!: TrustedDeviceDto[];
}

export class PersonFactorsDto {
  @ApiProperty({ format: 'uuid' })
  userId!: string;
  /** Which kinds of second factors the person has. */
  @ApiProperty({ enum: FACTOR_TYPES, isArray: true })
  types!: string[];
  recoveryCodesLeft!: number;
  required!: boolean;
  @ApiProperty({ format: 'date-time', required: false })
  requiredFrom?: string;
}

export class PersonFactorsPageDto {
  items!: PersonFactorsDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

export class ResetFactorsDto {
  /** How many factors were taken away. */
  removed!: number;
}
