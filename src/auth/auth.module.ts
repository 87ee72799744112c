import { Module } from '@nestjs/common';
import { AccessTokens } from './access-tokens.js';
import { ApiKeysController } from './api-keys.controller.js';
import { ApiKeys } from './api-keys.js';
import { AuthController } from './auth.controller.js';
import { EraseUser } from './erase-user.js';
import { Principals } from './principals.js';
import { Sessions } from './sessions.js';
import { SigningKeys } from './signing-keys.js';
import { UsersController } from './users.controller.js';
import { StepUp } from './step-up.js';
import { Users } from './users.js';

@Module({
  controllers: [AuthController, UsersController, ApiKeysController],
  providers: [AccessTokens, ApiKeys, EraseUser, Principals, Sessions, SigningKeys, StepUp, Users],
  exports: [AccessTokens, ApiKeys, Principals, StepUp, Users],
})
export class AuthModule {}
