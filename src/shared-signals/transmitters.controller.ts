import { Body, Controller, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Transmitters } from './transmitters.js';
import {
  CreateTransmitterDto,
  RotateTransmitterTokenDto,
  TokenOfTransmitterDto,
  TransmitterDto,
  TransmitterListDto,
  UpdateTransmitterDto,
} from './transmitters.dto.js';

@Controller('v1/shared-signals/transmitters')
export class TransmittersController {
  constructor(private readonly transmitters: Transmitters) {}

  @Post()
  @Endpoint({
    permission: 'signal_transmitter:manage',
    audit: 'signal_transmitter.created',
    stepUp: true,
    summary:
      'Registers a transmitter of security events (Shared Signals Framework 1.0); the token of its stream is shown this once.',
    problems: [409, 422],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateTransmitterDto): Promise<TokenOfTransmitterDto> {
    return this.transmitters.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'signal_transmitter:read',
    audit: 'signal_transmitter.listed',
    summary: 'Lists the transmitters, without their tokens.',
  })
  list(): Promise<TransmitterListDto> {
    return this.transmitters.list();
  }

  @Get(':id')
  @Endpoint({
    permission: 'signal_transmitter:read',
    audit: 'signal_transmitter.read',
    summary: 'Reads a transmitter, with what it has last said of the stream.',
    problems: [404],
  })
  get(@ResourceId('transmitter') id: string): Promise<TransmitterDto> {
    return this.transmitters.get(id);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'signal_transmitter:manage',
    audit: 'signal_transmitter.updated',
    stepUp: true,
    summary: 'Changes a transmitter. Disabled, nothing more is taken from it.',
    problems: [404, 412],
  })
  update(
    @CurrentActor() actor: Actor,
    @ResourceId('transmitter') id: string,
    @Body() body: UpdateTransmitterDto,
    @IfMatch() version: number | undefined,
  ): Promise<TransmitterDto> {
    return this.transmitters.update(actor, id, body, version);
  }

  @Post(':id/rotate-token')
  @HttpCode(200)
  @Endpoint({
    permission: 'signal_transmitter:manage',
    audit: 'signal_transmitter.token_rotated',
    stepUp: true,
    summary:
      'Gives the stream another token, shown this once; the former one goes on for as long as is said.',
    problems: [404],
  })
  rotateToken(
    @CurrentActor() actor: Actor,
    @ResourceId('transmitter') id: string,
    @Body() body: RotateTransmitterTokenDto,
  ): Promise<TokenOfTransmitterDto> {
    return this.transmitters.rotateToken(actor, id, body);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'signal_transmitter:manage',
    audit: 'signal_transmitter.deleted',
    stepUp: true,
    summary: 'Takes a transmitter away. What it has ended stays so.',
    problems: [404, 412],
  })
  delete(@ResourceId('transmitter') id: string, @IfMatch() version: number | undefined): Promise<void> {
    return this.transmitters.delete(id, version);
  }
}
