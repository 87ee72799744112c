import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { Endpoint, PUBLIC, UNAUDITED } from '../platform/http/endpoint.js';
import { JwksDto, RotatedSigningKeyDto, RotateSigningKeysDto } from './jwks.dto.js';
import { RotateSigningKeys } from './rotate-signing-keys.js';
import { SigningKeys } from './signing-keys.js';

@Controller()
export class SigningKeysController {
  constructor(
    private readonly signingKeys: SigningKeys,
    private readonly rotation: RotateSigningKeys,
  ) {}

  @Get('.well-known/jwks.json')
  @Endpoint({
    permission: PUBLIC,
    reason: 'public keys, with which anybody may verify access tokens',
    audit: UNAUDITED,
    summary: 'The public keys of access tokens (RFC 7517).',
  })
  async jwks(): Promise<JwksDto> {
    return { keys: (await this.signingKeys.jwks()).keys as JwksDto['keys'] };
  }

  @Post('v1/auth/signing-keys/rotate')
  @HttpCode(200)
  @Endpoint({
    permission: 'signing_key:rotate',
    audit: 'signing_key.rotated',
    status: 200,
    problems: [409],
    summary: 'Replaces the key that signs access tokens, a day later or at once. Needs the operator key.',
  })
  async rotate(@Body() { compromised = false }: RotateSigningKeysDto): Promise<RotatedSigningKeyDto> {
    const { kid, signsFrom } = await this.rotation.execute(compromised);
    return { kid, signsFrom: signsFrom.toISOString() };
  }
}
