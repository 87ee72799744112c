import { Body, Controller, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Directories } from './directories.js';
import {
  CreateDirectoryDto,
  CreatedDirectoryTokenDto,
  CreateTokenDto,
  DirectoryDto,
  DirectoryListDto,
  DirectoryTokenListDto,
  UpdateDirectoryDto,
} from './directories.dto.js';
import { DirectoryTokens } from './directory-tokens.js';

@Controller('v1/scim/directories')
export class DirectoriesController {
  constructor(
    private readonly directories: Directories,
    private readonly tokens: DirectoryTokens,
  ) {}

  @Post()
  @Endpoint({
    permission: 'scim_directory:manage',
    audit: 'scim_directory.created',
    stepUp: true,
    summary: 'Adds a directory that provides people by SCIM.',
    problems: [409],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateDirectoryDto): Promise<DirectoryDto> {
    return this.directories.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'scim_directory:read',
    audit: 'scim_directory.listed',
    summary: 'Lists the directories.',
  })
  list(): Promise<DirectoryListDto> {
    return this.directories.list();
  }

  @Get(':id')
  @Endpoint({
    permission: 'scim_directory:read',
    audit: 'scim_directory.read',
    summary: 'Reads a directory.',
    problems: [404],
  })
  get(@ResourceId('directory') id: string): Promise<DirectoryDto> {
    return this.directories.get(id);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'scim_directory:manage',
    audit: 'scim_directory.updated',
    stepUp: true,
    summary: 'Changes a directory. Disabled, its tokens end at once; people and groups stay as they are.',
    problems: [404, 412],
  })
  update(
    @CurrentActor() actor: Actor,
    @ResourceId('directory') id: string,
    @Body() body: UpdateDirectoryDto,
    @IfMatch() version: number | undefined,
  ): Promise<DirectoryDto> {
    return this.directories.update(actor, id, body, version);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'scim_directory:manage',
    audit: 'scim_directory.deleted',
    stepUp: true,
    summary: 'Deletes a directory that is disabled. Its people and groups stay, looked after by hand.',
    problems: [404, 409, 412],
  })
  delete(@ResourceId('directory') id: string, @IfMatch() version: number | undefined): Promise<void> {
    return this.directories.delete(id, version);
  }

  @Post(':id/tokens')
  @Endpoint({
    permission: 'scim_directory:manage',
    audit: 'scim_token.created',
    stepUp: true,
    summary:
      'Makes a token for the directory, which is shown once. Several work, so that one can take the place of another.',
    problems: [404, 409],
  })
  createToken(
    @CurrentActor() actor: Actor,
    @ResourceId('directory') id: string,
    @Body() body: CreateTokenDto,
  ): Promise<CreatedDirectoryTokenDto> {
    return this.tokens.create(actor, id, body);
  }

  @Get(':id/tokens')
  @Endpoint({
    permission: 'scim_directory:read',
    audit: 'scim_directory.read',
    summary: 'Lists the last 200 tokens of a directory, without the tokens themselves.',
    problems: [404],
  })
  listTokens(@ResourceId('directory') id: string): Promise<DirectoryTokenListDto> {
    return this.tokens.list(id);
  }

  @Delete(':id/tokens/:token')
  @HttpCode(204)
  @Endpoint({
    permission: 'scim_directory:manage',
    audit: 'scim_token.revoked',
    summary: 'Revokes a token: it ends everywhere within a second.',
    problems: [404],
  })
  revokeToken(
    @ResourceId('directory') id: string,
    @ResourceId('token', 'token') token: string,
  ): Promise<void> {
    return this.tokens.revoke(id, token);
  }
}
