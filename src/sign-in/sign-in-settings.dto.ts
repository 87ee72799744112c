import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import {
  IsIP,
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { Nested, Nullable, Optional } from '../platform/http/fields.js';
import type { SecondFactorRules } from '../platform/http/tenant-rules.js';
import { BOUNDS } from './sign-in-rules.js';

const BINDINGS = ['exact', 'network', 'off'] as const;
const REQUIRED_OF = ['admins', 'everybody'] as const;
const ATTESTATIONS = ['none', 'direct'] as const;
const AAGUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function Within({ min, max }: { min: number; max: number }): PropertyDecorator {
  return applyDecorators(
    IsInt(),
    Min(min),
    Max(max),
    ApiProperty({ type: 'integer', minimum: min, maximum: max }),
  );
}

export class SecondFactorRulesDto implements Omit<SecondFactorRules, 'requiredSince'> {
  /** Of whom a second factor is asked. Owners and Admins are always among them. */
  @IsIn(REQUIRED_OF)
  @ApiProperty({ enum: REQUIRED_OF })
  requiredOf!: (typeof REQUIRED_OF)[number];

  /** Days that a person may do without, from when it is asked of them; then they can set one up, and nothing else. */
  @Within(BOUNDS.graceDays)
  graceDays!: number;

  /** Days for which a browser is believed in which a second factor was proved; 0: never. */
  @Within(BOUNDS.trustedDeviceDays)
  trustedDeviceDays!: number;

  /** Whether codes in text messages count, where the installation sends any; never of Owners and Admins. Left out: they do not. */
  @Optional()
  @IsBoolean()
  @ApiProperty({ type: Boolean, required: false })
  textMessages?: boolean;

  /** `direct`: security keys have to say what they are, signed by their maker. */
  @IsIn(ATTESTATIONS)
  @ApiProperty({ enum: ATTESTATIONS })
  attestation!: (typeof ATTESTATIONS)[number];

  /** With `direct`, at least one: certificates of the makers that are believed, PEM. */
  @IsArray()
  @ArrayMaxSize(10)
  @IsString({ each: true })
  @MaxLength(4_096, { each: true })
  @ApiProperty({ type: [String] })
  attestationRoots!: string[];

  /** With `direct`: the models that are taken, by their AAGUID; none named: all of those makers'. */
  @IsArray()
  @ArrayMaxSize(100)
  @ArrayUnique()
  @Matches(AAGUID, { each: true, message: 'each of allowedAaguids must be an AAGUID in small letters' })
  @ApiProperty({ type: [String], example: ['ee882879-721c-4913-9775-3dfcce97072a'] })
  allowedAaguids!: string[];
}

export class ReplaceSignInSettingsDto {
  /** Seconds that a session lives, from the sign-in on: an hour to a week. */
  @Within(BOUNDS.sessionSeconds)
  sessionSeconds!: number;

  /** Seconds after which a session that was not used is over; `null`: never for that. */
  @Nullable()
  @ApiProperty({ type: 'integer', nullable: true })
  @Within(BOUNDS.idleSeconds)
  idleSeconds!: number | null;

  /** Seconds in which refresh tokens can be exchanged, from the sign-in on. */
  @Within(BOUNDS.refreshSeconds)
  refreshSeconds!: number;

  /** What of the caller's address a session belongs to: all of it, its network (/24, IPv6: /48), or nothing. */
  @IsIn(BINDINGS)
  @ApiProperty({ enum: BINDINGS })
  binding!: (typeof BINDINGS)[number];

  /** Whether access and refresh tokens belong to address and browser of their sign-in as the cookie does. */
  @IsBoolean()
  bindTokens!: boolean;

  /** Sessions that a person has at once; the oldest ends where another begins. */
  @Within(BOUNDS.concurrentSessions)
  concurrentSessions!: number;

  /** So many of a person's last passwords are not taken again. */
  @Within(BOUNDS.passwordHistory)
  passwordHistory!: number;

  /** Left out, it stays as it is. */
  @Optional()
  @Nested(() => SecondFactorRulesDto)
  @ApiProperty({ type: SecondFactorRulesDto, required: false })
  secondFactor?: SecondFactorRulesDto;
}

export class SignInSettingsDto {
  sessionSeconds!: number;
  @ApiProperty({ oneOf: [{ type: 'integer' }, { type: 'null' }] })
  idleSeconds!: number | null;
  refreshSeconds!: number;
  @ApiProperty({ enum: BINDINGS })
  binding!: string;
  bindTokens!: boolean;
  concurrentSessions!: number;
  passwordHistory!: number;
  secondFactor!: SecondFactorRulesDto;
  version!: number;
}

export class UnlockAddressDto {
  /** IPv4 or IPv6; of the latter its /64 is meant. */
  @IsIP()
  @ApiProperty({ example: '203.0.113.7' })
  address!: string;
}
