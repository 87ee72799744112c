import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, Max, Min, ValidateIf } from 'class-validator';
import type { SignInRules } from '../platform/http/tenant-rules.js';
import { BOUNDS } from './sign-in-rules.js';

const BINDINGS = ['exact', 'network', 'off'] as const;

function Within({ min, max }: { min: number; max: number }): PropertyDecorator {
  return applyDecorators(IsInt(), Min(min), Max(max));
}

export class ReplaceSignInSettingsDto implements SignInRules {
  /** Seconds that a session lives, from the sign-in on: an hour to a week. */
  @Within(BOUNDS.sessionSeconds)
  sessionSeconds!: number;

  /** Seconds after which a session that was not used is over; `null`: never for that. */
  @ValidateIf((_body, value) => value !== null)
  @Within(BOUNDS.idleSeconds)
  @ApiProperty({ oneOf: [{ type: 'integer' }, { type: 'null' }] })
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
  version!: number;
}
