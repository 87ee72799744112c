import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiAcceptedResponse, ApiHeader, ApiOkResponse } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { SignInDto, sessionCookie, TokensDto, type SignedIn } from '../auth/index.js';
import { Endpoint, PUBLIC } from '../platform/http/endpoint.js';
import { OptionalTenant } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { CompleteSignIn } from './complete-sign-in.js';
import { DescribeChallenge } from './describe-challenge.js';
import { ChallengeDto, CompleteSignInDto, SecondFactorDueDto } from './mfa.dto.js';
import { SignInWithPassword } from './sign-in-with-password.js';

/** Signing in: the first proof, and the second where there is one. */
@Controller('v1/auth')
export class SignInController {
  constructor(
    private readonly withPassword: SignInWithPassword,
    private readonly complete: CompleteSignIn,
    private readonly describe: DescribeChallenge,
  ) {}

  @Post('login')
  @HttpCode(200)
  @ApiHeader({ name: 'X-Tenant-Slug', required: true, description: 'The organisation to sign in to.' })
  @ApiOkResponse({ type: TokensDto })
  @ApiAcceptedResponse({
    type: SecondFactorDueDto,
    description: 'The password is right, and a second factor is to be proved: POST /v1/auth/second-factor.',
  })
  @Endpoint({
    permission: PUBLIC,
    reason: 'whoever signs in has no credential yet',
    audit: 'session.created',
    limit: 'sign-in',
    summary: 'Signs in with e-mail and password, in the organisation that X-Tenant-Slug names.',
    problems: [401, 403],
  })
  async signIn(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Body() body: SignInDto,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TokensDto | SecondFactorDueDto> {
    const admitted = await this.withPassword.execute(tenant, body, request.headers.cookie);
    if (admitted.kind === 'signed_in')
      return tokensOf(response, admitted.signedIn, [], admitted.enrolmentOnly);
    response.status(202);
    return admitted.due;
  }

  @Post('second-factor/options')
  @HttpCode(200)
  @Endpoint({
    permission: PUBLIC,
    reason: 'the challenge in the body is the credential, and is not used up',
    audit: 'second_factor.asked',
    limit: 'sign-in',
    summary:
      'What may prove the second factor that a sign-in has asked for, for a page that has only its challenge.',
    problems: [401, 403],
  })
  options(@Body() { challenge }: ChallengeDto): Promise<SecondFactorDueDto> {
    return this.describe.execute(challenge);
  }

  @Post('second-factor')
  @HttpCode(200)
  @Endpoint({
    permission: PUBLIC,
    reason: 'the challenge in the body, with a second factor, is the credential',
    audit: 'session.created',
    limit: 'sign-in',
    summary: 'Proves the second factor that a sign-in has asked for, and signs in.',
    problems: [401, 403],
  })
  async secondFactor(
    @Body() body: CompleteSignInDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<TokensDto> {
    const { signedIn, device, enrolmentOnly } = await this.complete.execute(body);
    return tokensOf(response, signedIn, device === undefined ? [] : [device], enrolmentOnly);
  }
}

/** Sets the cookies of a sign-in, and answers what is for programs. */
export function tokensOf(
  response: Response,
  { sessionSecret, sessionSeconds, ...tokens }: SignedIn,
  cookies: readonly string[] = [],
  enrolmentOnly = false,
): TokensDto {
  response.setHeader('Set-Cookie', [sessionCookie(sessionSecret, sessionSeconds), ...cookies]);
  return enrolmentOnly ? { ...tokens, enrolmentOnly } : tokens;
}
