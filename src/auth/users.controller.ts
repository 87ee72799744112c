import { Body, Controller, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { CreateUserDto, UpdateUserDto, UserDto, UserPageDto } from './auth.dto.js';
import { EraseUser } from './erase-user.js';
import { Users } from './users.js';

@Controller('v1/users')
export class UsersController {
  constructor(
    private readonly users: Users,
    private readonly erasing: EraseUser,
  ) {}

  @Post()
  @Endpoint({
    permission: 'user:create',
    audit: 'user.created',
    stepUp: 'of_people',
    summary: 'Adds a person to the organisation.',
    problems: [409],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateUserDto): Promise<UserDto> {
    return this.users.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'user:read',
    audit: 'user.listed',
    summary: 'Lists the people of the organisation.',
  })
  list(@Query() query: PageQuery): Promise<UserPageDto> {
    return this.users.list(query);
  }

  @Post(':id/unlock')
  @HttpCode(204)
  @Endpoint({
    permission: 'user:update',
    audit: 'account.unlocked',
    status: 204,
    summary: 'Lets a person try again whose account was locked after failed sign-ins.',
    problems: [404],
  })
  unlock(@CurrentActor() actor: Actor, @ResourceId('user') id: string): Promise<void> {
    return this.users.unlock(actor, id);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'user:update',
    audit: 'user.updated',
    stepUp: 'of_people',
    summary:
      'Changes role, status, name or number. With role or status sessions of the person end at once; disabled, their API keys too.',
    problems: [404, 409, 410, 412, 422],
  })
  update(
    @CurrentActor() actor: Actor,
    @ResourceId('user') id: string,
    @Body() body: UpdateUserDto,
    @IfMatch() version: number | undefined,
  ): Promise<UserDto> {
    return this.users.update(actor, id, body, version);
  }

  @Post(':id/erasure')
  @HttpCode(200)
  @Endpoint({
    permission: 'user:erase',
    audit: 'user.erased',
    summary:
      'Erases a person for good: nobody can read any more who it was, here or in the log. Sessions and keys end at once.',
    problems: [404, 409, 410],
    stepUp: true,
  })
  erase(@CurrentActor() actor: Actor, @ResourceId('user') id: string): Promise<UserDto> {
    return this.erasing.execute(actor, id);
  }
}
