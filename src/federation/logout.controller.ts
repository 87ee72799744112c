import { Body, Controller, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiConsumes, ApiFoundResponse, ApiOkResponse } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { sessionCookie } from '../auth/index.js';
import { BodyAnswer, Redirection } from '../platform/http/direct-answer.js';
import { Endpoint, PUBLIC, UNAUDITED } from '../platform/http/endpoint.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { CurrentActor, OptionalTenant } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import type { StreamedAnswer } from '../platform/http/streamed-answer.js';
import { BeginSignIn } from './begin-sign-in.js';
import { ConnectionStore } from './connection-store.js';
import { isSaml } from './connection.entity.js';
import { ProviderLogout } from './provider-logout.js';
import { formField, parametersOf, rawQuery } from './request-parameters.js';
import { OwnMetadata } from './saml/own-metadata.js';
import { ProveAgainDto, SignedOutDto, StartedDto } from './sign-in.dto.js';

const SLO_REASON = 'the signature of the provider is the credential';

/** What is done with a session at its provider; and what providers read of us. */
@Controller('v1/sso')
export class LogoutController {
  constructor(
    private readonly logout: ProviderLogout,
    private readonly begin: BeginSignIn,
    private readonly store: ConnectionStore,
    private readonly metadata: OwnMetadata,
  ) {}

  @Post('logout')
  @HttpCode(200)
  @Endpoint({
    permission: 'session:end',
    audit: 'session.ended',
    whileEnrolling: true,
    summary: 'Ends the session, and says where a browser ends that of the provider as well.',
    problems: [422],
  })
  async signOut(
    @CurrentActor() actor: Actor,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SignedOutDto> {
    const redirectTo = await this.logout.ownSession(actor);
    response.setHeader('Set-Cookie', sessionCookie('', 0));
    return redirectTo === undefined ? {} : { redirectTo };
  }

  @Post('step-up')
  @HttpCode(200)
  @Endpoint({
    permission: 'session:step_up',
    audit: 'sso.started',
    whileEnrolling: true,
    limit: 'sign-in',
    summary:
      'Answers where whoever signed in through a provider proves themselves there again; for five minutes the session may do what asks for that.',
    problems: [404, 422],
  })
  async stepUp(
    @CurrentActor() actor: Actor,
    @Body() body: ProveAgainDto,
    @Res({ passthrough: true }) response: Response,
  ): Promise<StartedDto> {
    const { url, cookie } = await this.begin.again(actor, body.returnTo);
    response.setHeader('Set-Cookie', cookie);
    return { authorizationUrl: url };
  }

  @Post(':tenant/:connection/backchannel-logout')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @Endpoint({
    permission: PUBLIC,
    reason: SLO_REASON,
    audit: 'sso.ended',
    tenantInPath: true,
    summary: 'Takes a logout token (OpenID Connect Back-Channel Logout 1.0): the sessions that it names end.',
    problems: [404],
  })
  async backChannel(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Param('connection') connection: string,
    @Body() body: object,
  ): Promise<void> {
    if (!tenant) throw new ResourceNotFound('connection');
    await this.logout.backChannel(connection, formField(body, 'logout_token'));
  }

  @Get(':tenant/:connection/logout')
  @ApiFoundResponse({ description: 'To the provider with our response, or home.' })
  @Endpoint({
    permission: PUBLIC,
    reason: SLO_REASON,
    audit: 'sso.ended',
    tenantInPath: true,
    summary: 'Single logout of SAML, by HTTP-Redirect: a request of the provider, or its answer to ours.',
    problems: [404],
  })
  async redirected(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Param('connection') connection: string,
    @Req() request: Request,
    @Res() _response: unknown,
  ): Promise<StreamedAnswer> {
    if (!tenant) throw new ResourceNotFound('connection');
    const query = parametersOf(request);
    // An answer to our own request changes nothing here: the session had ended before it was sent.
    if (query.has('SAMLResponse')) return this.#home(connection);
    const message = { binding: 'redirect', query: rawQuery(request) } as const;
    return new Redirection(
      await this.logout.singleLogout(connection, message, query.get('RelayState') ?? ''),
    );
  }

  @Post(':tenant/:connection/logout')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiFoundResponse({ description: 'To the provider with our response, or home.' })
  @Endpoint({
    permission: PUBLIC,
    reason: SLO_REASON,
    audit: 'sso.ended',
    tenantInPath: true,
    summary: 'Single logout of SAML, by HTTP-POST.',
    problems: [404],
  })
  async posted(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Param('connection') connection: string,
    @Body() body: object,
    @Res() _response: unknown,
  ): Promise<StreamedAnswer> {
    if (!tenant) throw new ResourceNotFound('connection');
    if (formField(body, 'SAMLResponse') !== undefined) return this.#home(connection);
    const message = { binding: 'post', encoded: formField(body, 'SAMLRequest') } as const;
    return new Redirection(
      await this.logout.singleLogout(connection, message, formField(body, 'RelayState') ?? ''),
    );
  }

  @Get(':tenant/:connection/metadata')
  @ApiOkResponse({ content: { 'application/samlmetadata+xml': { schema: { type: 'string' } } } })
  @Endpoint({
    permission: PUBLIC,
    reason: 'what providers read of us, as they publish what we read of them',
    audit: UNAUDITED,
    tenantInPath: true,
    summary: 'Our SAML metadata for a connection.',
    problems: [404],
  })
  async ownMetadata(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Param('connection') id: string,
    @Res() _response: unknown,
  ): Promise<StreamedAnswer> {
    if (!tenant) throw new ResourceNotFound('connection');
    const connection = await this.store.find(id);
    if (!isSaml(connection)) throw new ResourceNotFound('connection');
    return new BodyAnswer(this.metadata.of(connection), {
      type: 'application/samlmetadata+xml; charset=utf-8',
    });
  }

  async #home(connection: string): Promise<StreamedAnswer> {
    await this.store.active(connection);
    return new Redirection('/');
  }
}
