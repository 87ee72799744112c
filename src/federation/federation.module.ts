import { Module } from '@nestjs/common';
import { AuthModule } from '../auth/index.js';
import { DomainsModule } from '../domains/index.js';
import { MfaModule } from '../mfa/index.js';
import { Addresses } from './addresses.js';
import { Attempts } from './attempts.js';
import { BeginSignIn } from './begin-sign-in.js';
import { BreakGlass } from './break-glass.js';
import { CompleteSignIn } from './complete-sign-in.js';
import { ConnectionSettings } from './connection-settings.js';
import { ConnectionStore } from './connection-store.js';
import { ConnectionsController } from './connections.controller.js';
import { Connections } from './connections.js';
import { Discover } from './discover.js';
import { EndSessions } from './end-sessions.js';
import { FederationController } from './federation.controller.js';
import { FindPerson } from './find-person.js';
import { FinishSignIn } from './finish-sign-in.js';
import { JudgePerson } from './judge-person.js';
import { KeepFailure } from './keep-failure.js';
import { LogoutController } from './logout.controller.js';
import { GroupOverage } from './oidc/group-overage.js';
import { LogoutTokens } from './oidc/logout-token.js';
import { OidcClients } from './oidc/oidc-clients.js';
import { OidcSignIn } from './oidc/oidc-sign-in.js';
import { OrderTest } from './order-test.js';
import { ProveAgain } from './prove-again.js';
import { ProviderDocuments } from './provider-documents.js';
import { ProviderLogout } from './provider-logout.js';
import { Replays } from './replays.js';
import { KeepMetadata } from './saml/keep-metadata.js';
import { OwnMetadata } from './saml/own-metadata.js';
import { RefreshMetadata } from './saml/refresh-metadata.js';
import { SamlSignIn } from './saml/saml-sign-in.js';
import { SetupGuide } from './setup-guide.js';
import { SignInController } from './sign-in.controller.js';
import { TestReports } from './test-reports.js';

const OIDC = [OidcClients, OidcSignIn, GroupOverage, LogoutTokens];
const SAML = [SamlSignIn, KeepMetadata, RefreshMetadata, OwnMetadata];

@Module({
  imports: [AuthModule, DomainsModule, MfaModule],
  controllers: [ConnectionsController, SignInController, LogoutController, FederationController],
  providers: [
    ...OIDC,
    ...SAML,
    Addresses,
    Attempts,
    BeginSignIn,
    BreakGlass,
    CompleteSignIn,
    ConnectionSettings,
    ConnectionStore,
    Connections,
    Discover,
    EndSessions,
    FindPerson,
    FinishSignIn,
    JudgePerson,
    KeepFailure,
    OrderTest,
    ProveAgain,
    ProviderDocuments,
    ProviderLogout,
    Replays,
    SetupGuide,
    TestReports,
  ],
  exports: [FindPerson, ProviderDocuments],
})
export class FederationModule {}
