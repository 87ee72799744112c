import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Put } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentTenant } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import { ChangeKeys } from './change-keys.js';
import {
  AttachKeyDto,
  DeleteKeysDto,
  KeyDeletionDto,
  KeyRotationDto,
  KeysDto,
  UpdateKeysDto,
} from './keys.dto.js';
import { ReadKeys } from './read-keys.js';

@Controller('v1/keys')
export class KeysController {
  constructor(
    private readonly reading: ReadKeys,
    private readonly changing: ChangeKeys,
  ) {}

  @Get()
  @Endpoint({
    permission: 'key:read',
    audit: 'keys.read',
    summary: "Your organisation's keys: their ids, ages and states, never the keys themselves.",
  })
  read(@CurrentTenant() tenant: RequestTenant): Promise<KeysDto> {
    return this.reading.execute(tenant);
  }

  @Patch()
  @Endpoint({
    permission: 'key:update',
    audit: 'keys.updated',
    summary: 'Sets at which age your keys are replaced.',
    stepUp: true,
  })
  update(
    @CurrentTenant() tenant: RequestTenant,
    @Body() { rotateAfterDays }: UpdateKeysDto,
  ): Promise<KeysDto> {
    return this.changing.rotateAfter(tenant, rotateAfterDays);
  }

  @Post('rotate')
  @HttpCode(202)
  @Endpoint({
    permission: 'key:rotate',
    audit: 'keys.rotation_requested',
    summary:
      'Replaces your keys, and brings everything that is stored under the new ones. Goes on for a while.',
    problems: [409],
    stepUp: true,
  })
  rotate(@CurrentTenant() tenant: RequestTenant): Promise<KeyRotationDto> {
    return this.changing.rotate(tenant);
  }

  @Put('customer-key')
  @HttpCode(202)
  @Endpoint({
    permission: 'key:attach',
    audit: 'keys.customer_key_attached',
    summary:
      'Puts your keys under a key in AWS KMS that you keep: whoever may use that one, may use them. Goes on for a while.',
    problems: [409, 422],
    stepUp: true,
  })
  attach(@CurrentTenant() tenant: RequestTenant, @Body() body: AttachKeyDto): Promise<KeyRotationDto> {
    return this.changing.attach(tenant, body);
  }

  @Delete('customer-key')
  @HttpCode(202)
  @Endpoint({
    permission: 'key:attach',
    audit: 'keys.customer_key_detached',
    summary: 'Puts your keys under the key that we keep for you again. Yours is needed until that has begun.',
    problems: [404, 409],
    stepUp: true,
  })
  detach(@CurrentTenant() tenant: RequestTenant): Promise<KeyRotationDto> {
    return this.changing.detach(tenant);
  }

  @Post('deletion')
  @HttpCode(202)
  @Endpoint({
    permission: 'key:destroy',
    audit: 'keys.deletion_scheduled',
    summary:
      'Schedules the destruction of your keys: everything that they have sealed will be gone. Can be cancelled until then.',
    problems: [409],
    stepUp: true,
  })
  scheduleDeletion(
    @CurrentTenant() tenant: RequestTenant,
    @Body() body: DeleteKeysDto,
  ): Promise<KeyDeletionDto> {
    return this.changing.scheduleDeletion(tenant, body);
  }

  @Delete('deletion')
  @HttpCode(204)
  @Endpoint({
    permission: 'key:destroy',
    audit: 'keys.deletion_cancelled',
    summary: 'Cancels the destruction of your keys.',
    problems: [404, 409],
    stepUp: true,
  })
  cancelDeletion(@CurrentTenant() tenant: RequestTenant): Promise<void> {
    return this.changing.cancelDeletion(tenant);
  }
}
