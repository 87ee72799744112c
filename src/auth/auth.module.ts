import { Module } from '@nestjs/common';
import { DomainsModule } from '../domains/index.js';
import { PasswordsModule } from '../passwords/index.js';
import { SignInModule } from '../sign-in/index.js';
import { ActorOfCredential } from './actor-of-credential.js';
import { ActorOfPerson } from './actor-of-person.js';
import { AccessTokens } from './access-tokens.js';
import { ApiKeysController } from './api-keys.controller.js';
import { ApiKeys } from './api-keys.js';
import { Authenticate } from './authenticate.js';
import { Authority } from './authority.js';
import { AuthController } from './auth.controller.js';
import { DpopProofs } from './dpop-proofs.js';
import { EndRevoked } from './end-revoked.js';
import { EndSessions } from './end-sessions.js';
import { LastUse } from './last-use.js';
import { PasswordSignIn } from './password-sign-in.js';
import { EraseUser } from './erase-user.js';
import { ErasureFollowers } from './erasure-followers.js';
import { OwnCeiling } from './own-ceiling.js';
import { Principals } from './principals.js';
import { ProvidedUsers } from './provided-users.js';
import { RefreshChecks } from './refresh-checks.js';
import { SessionList } from './session-list.js';
import { OwnSessionsController, PersonSessionsController } from './sessions.controller.js';
import { Sessions } from './sessions.js';
import { ShownOnce } from './shown-once.js';
import { RotateApiKey } from './rotate-api-key.js';
import { RotateSigningKeys } from './rotate-signing-keys.js';
import { SigningKeysController } from './signing-keys.controller.js';
import { SigningKeys } from './signing-keys.js';
import { UsersController } from './users.controller.js';
import { StepUp } from './step-up.js';
import { TokenTenant } from './token-tenant.js';
import { Users } from './users.js';
import { VerifyPassword } from './verify-password.js';

@Module({
  imports: [DomainsModule, PasswordsModule, SignInModule],
  controllers: [
    AuthController,
    OwnSessionsController,
    PersonSessionsController,
    UsersController,
    ApiKeysController,
    SigningKeysController,
  ],
  providers: [
    AccessTokens,
    ActorOfCredential,
    ActorOfPerson,
    ApiKeys,
    Authenticate,
    Authority,
    DpopProofs,
    EndRevoked,
    EndSessions,
    EraseUser,
    ErasureFollowers,
    LastUse,
    OwnCeiling,
    PasswordSignIn,
    Principals,
    ProvidedUsers,
    RefreshChecks,
    SessionList,
    Sessions,
    RotateApiKey,
    RotateSigningKeys,
    ShownOnce,
    SigningKeys,
    StepUp,
    TokenTenant,
    Users,
    VerifyPassword,
  ],
  exports: [
    AccessTokens,
    ActorOfCredential,
    ActorOfPerson,
    ApiKeys,
    ErasureFollowers,
    LastUse,
    OwnCeiling,
    PasswordSignIn,
    Principals,
    ProvidedUsers,
    RefreshChecks,
    SessionList,
    Sessions,
    Authenticate,
    Authority,
    DpopProofs,
    ShownOnce,
    StepUp,
    TokenTenant,
    Users,
  ],
})
export class AuthModule {}
