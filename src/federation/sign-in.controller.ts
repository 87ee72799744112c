import { Body, Controller, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiConsumes,
  ApiExtraModels,
  ApiFoundResponse,
  ApiOkResponse,
  ApiQuery,
  getSchemaPath,
} from '@nestjs/swagger';
import type { Request } from 'express';
import { sessionCookie, TokensDto } from '../auth/index.js';
import { SecondFactorDueDto } from '../mfa/index.js';
import { BodyAnswer, Redirection } from '../platform/http/direct-answer.js';
import { Endpoint, PUBLIC } from '../platform/http/endpoint.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { OptionalTenant } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import type { StreamedAnswer } from '../platform/http/streamed-answer.js';
import { BeginSignIn } from './begin-sign-in.js';
import { FinishSignIn, type Finished, type ProviderAnswer } from './finish-sign-in.js';
import { formField, parametersOf } from './request-parameters.js';
import { StartedDto } from './sign-in.dto.js';
import { TestReportDto } from './tests.dto.js';

const TO_PROVIDER = 'To the provider; with `Accept: application/json` the address is in the body instead.';
const BACK =
  'Signed in, or to the page that takes a second factor; with `Accept: application/json` the tokens, or the challenge, are in the body instead.';

const SECOND_FACTOR_DUE = {
  type: SecondFactorDueDto,
  description: 'For a program: a second factor is to be proved, by POST /v1/auth/second-factor.',
};

const TOKENS_OR_REPORT = {
  description: 'The tokens, for a program; for a test, what it has found.',
  schema: { oneOf: [{ $ref: getSchemaPath(TokensDto) }, { $ref: getSchemaPath(TestReportDto) }] },
};

const ADDRESS_OR_REPORT = {
  description: 'Where to go, for a program; for a test that came to its end already, what it has found.',
  schema: { oneOf: [{ $ref: getSchemaPath(StartedDto) }, { $ref: getSchemaPath(TestReportDto) }] },
};

/** The browser's way to a provider and back. Whatever goes wrong on it is one answer, and has its reason in the event. */
@ApiExtraModels(StartedDto, TokensDto, TestReportDto)
@Controller('v1/sso/:tenant/:connection')
export class SignInController {
  constructor(
    private readonly begin: BeginSignIn,
    private readonly finish: FinishSignIn,
  ) {}

  @Get('start')
  @ApiQuery({ name: 'returnTo', required: false, description: 'A path of this site to go to afterwards.' })
  @ApiQuery({
    name: 'loginHint',
    required: false,
    description: 'The e-mail address, for the provider’s form.',
  })
  @ApiFoundResponse({ description: TO_PROVIDER })
  @ApiOkResponse(ADDRESS_OR_REPORT)
  @Endpoint({
    permission: PUBLIC,
    reason: 'whoever signs in has no credential yet',
    audit: 'sso.started',
    tenantInPath: true,
    limit: 'sign-in',
    summary: 'Sends a browser to the identity provider of a connection.',
    problems: [401, 403, 404, 422],
  })
  async start(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Param('connection') connection: string,
    @Req() request: Request,
    @Res() _response: unknown,
  ): Promise<StreamedAnswer> {
    if (!tenant) throw new ResourceNotFound('connection');
    const query = parametersOf(request);
    const begun = await this.begin.execute(connection, {
      returnTo: query.get('returnTo') ?? undefined,
      loginHint: query.get('loginHint') ?? undefined,
      test: query.get('test') ?? undefined,
    });
    if (begun.kind === 'tested') return new BodyAnswer(begun.report);
    const { url, cookie } = begun;
    return isProgram(request)
      ? new BodyAnswer({ authorizationUrl: url }, { cookies: [cookie] })
      : new Redirection(url, [cookie]);
  }

  @Get('callback')
  @ApiFoundResponse({ description: BACK })
  @ApiOkResponse(TOKENS_OR_REPORT)
  @ApiAcceptedResponse(SECOND_FACTOR_DUE)
  @Endpoint({
    permission: PUBLIC,
    reason: 'the answer of the provider is the credential, with the cookie of the browser that began',
    audit: 'session.created',
    tenantInPath: true,
    limit: 'sign-in',
    summary: 'Takes the answer of an OpenID Connect provider: an authorization code.',
    problems: [401, 403, 404, 422],
  })
  callback(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Param('connection') connection: string,
    @Req() request: Request,
    @Res() _response: unknown,
  ): Promise<StreamedAnswer> {
    const query = parametersOf(request);
    const state = query.get('state') ?? '';
    return this.#take(tenant, connection, request, { type: 'oidc', query, state });
  }

  @Post('acs')
  @HttpCode(200)
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiFoundResponse({ description: BACK })
  @ApiOkResponse(TOKENS_OR_REPORT)
  @ApiAcceptedResponse(SECOND_FACTOR_DUE)
  @Endpoint({
    permission: PUBLIC,
    reason: 'the signed response of the provider is the credential',
    audit: 'session.created',
    tenantInPath: true,
    limit: 'sign-in',
    summary: 'Takes the response of a SAML provider (HTTP-POST).',
    problems: [401, 403, 404, 422],
  })
  acs(
    @OptionalTenant() tenant: RequestTenant | undefined,
    @Param('connection') connection: string,
    @Req() request: Request,
    @Body() body: object,
    @Res() _response: unknown,
  ): Promise<StreamedAnswer> {
    const state = formField(body, 'RelayState') ?? '';
    const response = formField(body, 'SAMLResponse');
    return this.#take(tenant, connection, request, { type: 'saml', response, state });
  }

  async #take(
    tenant: RequestTenant | undefined,
    connection: string,
    request: Request,
    answer: ProviderAnswer,
  ): Promise<StreamedAnswer> {
    if (!tenant) throw new ResourceNotFound('connection');
    const finished = await this.finish.execute(tenant, connection, answer, request.headers.cookie);
    return answerOf(finished, isProgram(request));
  }
}

function answerOf(finished: Finished, program: boolean): StreamedAnswer {
  if (finished.kind === 'tested') return new BodyAnswer(finished.report, { cookies: [finished.cookie] });
  if (finished.kind === 'proved_again') return new Redirection(finished.returnTo, [finished.cookie]);
  if (finished.kind === 'second_factor_due')
    return program
      ? new BodyAnswer(finished.due, { status: 202, cookies: [finished.cookie] })
      : new Redirection(finished.page, [finished.cookie]);
  const { signedIn, enrolmentOnly } = finished;
  const { sessionSecret, sessionSeconds, ...tokens } = signedIn;
  const cookies = [finished.cookie, sessionCookie(sessionSecret, sessionSeconds)];
  const body = { ...tokens, ...(enrolmentOnly && { enrolmentOnly }) };
  return program ? new BodyAnswer(body, { cookies }) : new Redirection(finished.returnTo, cookies);
}

/** Browsers ask for pages. */
function isProgram(request: Request): boolean {
  return request.headers.accept?.split(',')[0]?.trim() === 'application/json';
}
