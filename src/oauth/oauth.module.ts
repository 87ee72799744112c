import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { FederationModule } from '../federation/index.js';
import { AuthenticateClient } from './authenticate-client.js';
import { CheckAssertion } from './check-assertion.js';
import { CheckFederatedToken } from './check-federated-token.js';
import { ClientSecrets } from './client-secrets.js';
import { ClientsController } from './clients.controller.js';
import { Clients } from './clients.js';
import { Federation } from './federation.js';
import { IntrospectToken } from './introspect-token.js';
import { IssueToken } from './issue-token.js';
import { IssuerKeys } from './issuer-keys.js';
import { OAuthController } from './oauth.controller.js';
import { RevokeToken } from './revoke-token.js';
import { ServerMetadata } from './server-metadata.js';

@Module({
  imports: [AuthModule, FederationModule],
  controllers: [ClientsController, OAuthController],
  providers: [
    AuthenticateClient,
    CheckAssertion,
    CheckFederatedToken,
    ClientSecrets,
    Clients,
    Federation,
    IntrospectToken,
    IssueToken,
    IssuerKeys,
    RevokeToken,
    ServerMetadata,
  ],
})
export class OAuthModule {}
