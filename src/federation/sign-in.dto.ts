import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayUnique, IsArray, IsEmail, IsString, IsUUID, MaxLength } from 'class-validator';
import { Optional } from '../platform/http/fields.js';

export class StartedDto {
  /** Where the person goes to sign in. The answer comes back to the browser that holds the cookie of this one. */
  authorizationUrl!: string;
}

export class ProveAgainDto {
  /** A path of this site to go to afterwards. */
  @Optional()
  @IsString()
  @MaxLength(2_000)
  returnTo?: string;
}

export class DiscoverDto {
  @IsEmail()
  @MaxLength(254)
  email!: string;
}

export class DiscoveredDto {
  /** `sso`: the domain of the address belongs to an organisation with a connection; whether the person is known is not said. */
  @ApiProperty({ enum: ['sso', 'password'] })
  method!: 'sso' | 'password';
  /** Where the sign-in begins. */
  startUrl?: string;
}

export class SignedOutDto {
  /** Where a browser ends the provider's session as well; absent where the provider offers nothing for it. */
  redirectTo?: string;
}

export class BreakGlassDto {
  @ApiProperty({ type: [String] })
  userIds!: string[];
}

export class SetBreakGlassDto {
  /** Active Owners who have a password. Each use of it is an alert. */
  @IsArray()
  @ArrayMaxSize(10)
  @ArrayUnique()
  @IsUUID(undefined, { each: true })
  @ApiProperty({ type: 'array', items: { type: 'string', format: 'uuid' } })
  userIds!: string[];
}
