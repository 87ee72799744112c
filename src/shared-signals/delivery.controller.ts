import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { TextBodies } from '../platform/http/body.js';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { SET_ERRORS } from './error-form.js';
import { ReceiveSet } from './receive-set.js';
import { LARGEST_SET_BYTES } from './verify-set.js';

const MEDIA_TYPE = 'application/secevent+jwt';

/** How the body of the route below is read. By its name it is kept out of the log, which may have bodies. */
export const SET_BODIES: TextBodies = {
  paths: /^\/v1\/shared-signals\/events$/,
  mediaType: MEDIA_TYPE,
  member: 'securityEventToken',
  limitBytes: LARGEST_SET_BYTES,
};

/** Push delivery of security event tokens by HTTP (RFC 8935). */
@Controller('v1/shared-signals/events')
export class DeliveryController {
  constructor(private readonly receive: ReceiveSet) {}

  @Post()
  @HttpCode(202)
  @ApiConsumes(MEDIA_TYPE)
  @ApiBody({ schema: { type: 'string', description: 'A security event token (RFC 8417), signed.' } })
  @Endpoint({
    permission: 'signal:deliver',
    audit: 'signal.received',
    status: 202,
    errors: SET_ERRORS,
    summary:
      'Takes a security event of a transmitter, which has the token of its stream: what it ends has ended when it is answered.',
  })
  deliver(@CurrentActor() actor: Actor, @Body() body: object | undefined): Promise<void> {
    return this.receive.execute(actor, (body as Record<string, unknown> | undefined)?.[SET_BODIES.member]);
  }
}
