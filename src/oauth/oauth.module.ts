import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { AuthenticateClient } from './authenticate-client.js';
import { CheckAssertion } from './check-assertion.js';
import { ClientSecrets } from './client-secrets.js';
import { ClientsController } from './clients.controller.js';
import { Clients } from './clients.js';
import { IntrospectToken } from './introspect-token.js';
import { IssueToken } from './issue-token.js';
import { OAuthController } from './oauth.controller.js';
import { RevokeToken } from './revoke-token.js';
import { ServerMetadata } from './server-metadata.js';

@Module({
  imports: [AuthModule],
  controllers: [ClientsController, OAuthController],
  providers: [
    AuthenticateClient,
    CheckAssertion,
    ClientSecrets,
    Clients,
    IntrospectToken,
    IssueToken,
    RevokeToken,
    ServerMetadata,
  ],
})
export class OAuthModule {}
