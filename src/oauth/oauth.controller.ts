import { Controller, Get, HttpCode, Post, Req } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { Request } from 'express';
import { Endpoint, PUBLIC, UNAUDITED } from '../platform/http/endpoint.js';
import { OAUTH_ERRORS } from './error-form.js';
import { IntrospectToken } from './introspect-token.js';
import { IssueToken } from './issue-token.js';
import {
  IntrospectionDto,
  ServerMetadataDto,
  TokenAnswerDto,
  TokenInQuestionDto,
  TokenRequestDto,
} from './oauth.dto.js';
import { RevokeToken } from './revoke-token.js';
import { ServerMetadata } from './server-metadata.js';

/** OAuth 2.0 for machines. Bodies are forms and errors those of RFC 6749; `Form` reads what is sent, and the types describe it. */
@Controller()
export class OAuthController {
  constructor(
    private readonly issue: IssueToken,
    private readonly revocation: RevokeToken,
    private readonly introspection: IntrospectToken,
    private readonly metadata: ServerMetadata,
  ) {}

  @Post('oauth/token')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiBody({ type: TokenRequestDto })
  @Endpoint({
    permission: PUBLIC,
    reason: 'the client proves itself, or the refresh token is the credential',
    audit: 'token.issued',
    limit: 'sign-in',
    errors: OAUTH_ERRORS,
    summary: 'Gives a client an access token, or new tokens for a refresh token (RFC 6749).',
    problems: [401, 403],
  })
  token(@Req() request: Request): Promise<TokenAnswerDto> {
    return this.issue.execute(request);
  }

  @Post('oauth/revoke')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiBody({ type: TokenInQuestionDto })
  @Endpoint({
    permission: PUBLIC,
    reason: 'the client proves itself, or the refresh token is the credential',
    audit: 'token.revoked',
    limit: 'sign-in',
    errors: OAUTH_ERRORS,
    summary: 'Ends an access token of the client that asks, or the session of a refresh token (RFC 7009).',
    problems: [401, 403],
  })
  revoke(@Req() request: Request): Promise<void> {
    return this.revocation.execute(request);
  }

  @Post('oauth/introspect')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiBody({ type: TokenInQuestionDto })
  @Endpoint({
    permission: PUBLIC,
    reason: 'the client proves itself, or shows its token, or an API key is shown',
    audit: 'token.introspected',
    errors: OAUTH_ERRORS,
    summary: 'Says whether an access token of the own organisation is worth anything now (RFC 7662).',
    problems: [401, 403],
  })
  introspect(@Req() request: Request): Promise<IntrospectionDto> {
    return this.introspection.execute(request);
  }

  @Get('.well-known/oauth-authorization-server')
  @Endpoint({
    permission: PUBLIC,
    reason: 'where clients read what is offered, before they have anything',
    audit: UNAUDITED,
    summary: 'What is offered here, and where (RFC 8414).',
  })
  server(): ServerMetadataDto {
    return this.metadata.document;
  }
}
