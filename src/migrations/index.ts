import type { MigrationClass } from '../platform/database/migration.js';
import { CellFoundation20261121000000 } from './cell-1-foundation.js';
import { CellCells20261121000200 } from './cell-2-cells.js';
import { CellLifecycle20261121000300 } from './cell-3-lifecycle.js';
import { CellMoves20261121000400 } from './cell-4-moves.js';
import { CellCheckpoints20261121000500 } from './cell-5-checkpoints.js';
import { CellLimits20261121000600 } from './cell-6-limits.js';
import { CellHardening20261121000700 } from './cell-7-hardening.js';
import { CellLogPeriods20261121000710 } from './cell-8-log-periods.js';
import { CellColdLogs20261121000720 } from './cell-9-cold-logs.js';
import { CellKeys20261122000100 } from './cell-10-keys.js';
import { CellDeliveries20261122002000 } from './cell-11-deliveries.js';
import { CellRestores20261122003000 } from './cell-12-restores.js';
import { CellDetection20261122003100 } from './cell-13-detection.js';
import { CellAlertWork20261122003200 } from './cell-14-alert-work.js';
import { CellLogIndex20261122006000 } from './cell-15-log-index.js';
import { CellSavedExports20261122006100 } from './cell-16-saved-exports.js';
import { CellSignIn20261122007000 } from './cell-17-sign-in.js';
import { CellPasswordResets20261122007200 } from './cell-18-password-resets.js';
import { CellSigningKeys20261122007400 } from './cell-19-signing-keys.js';
import { CellRequestBodies20261122007500 } from './cell-20-request-bodies.js';
import { CellDomains20261122009000 } from './cell-21-domains.js';
import { CellOwnBytes20261129060000 } from './cell-22-own-bytes.js';
import { CellSettledCommits20261130081500 } from './cell-23-settled-commits.js';
import { CellRechecks20261130090000 } from './cell-24-rechecks.js';
import { CellDeliveryLag20261130090100 } from './cell-25-delivery-lag.js';
import { CellCustomerKeys20261130091500 } from './cell-26-customer-keys.js';
import { CellExpiries20261130100000 } from './cell-27-expiries.js';
import { CellPublications20261130101000 } from './cell-28-publications.js';
import { CellUnstoredTiles20261130102000 } from './cell-29-unstored-tiles.js';
import { CellWithheldFields20261130103000 } from './cell-30-withheld-fields.js';
import { TenantFoundation20261121000000 } from './tenant-1-foundation.js';
import { TenantQuotas20261121000300 } from './tenant-2-quotas.js';
import { TenantKeys20261122000100 } from './tenant-3-keys.js';
import { TenantDestinations20261122002000 } from './tenant-4-destinations.js';
import { TenantStepUp20261122003000 } from './tenant-5-step-up.js';
import { TenantAlerts20261122003100 } from './tenant-6-alerts.js';
import { TenantNotifications20261122003200 } from './tenant-7-notifications.js';
import { TenantCustody20261122004000 } from './tenant-8-custody.js';
import { TenantSubjects20261122005000 } from './tenant-9-subjects.js';
import { TenantSessions20261122007100 } from './tenant-10-sessions.js';
import { TenantPasswords20261122007300 } from './tenant-11-passwords.js';
import { TenantApiKeys20261122007500 } from './tenant-12-api-keys.js';
import { TenantHeldKeys20261122007600 } from './tenant-13-held-keys.js';
import { TenantFederation20261122009000 } from './tenant-14-federation.js';
import { TenantGroups20261129010000 } from './tenant-15-groups.js';
import { TenantSecondFactors20261129020000 } from './tenant-16-mfa.js';
import { TenantOauthClients20261129030000 } from './tenant-17-oauth-clients.js';
import { TenantAccess20261129050000 } from './tenant-19-access.js';
import { TenantImpersonations20261129052000 } from './tenant-20-impersonations.js';
import { TenantSharedSignals20261129060000 } from './tenant-21-shared-signals.js';
import { TenantDirectoryClients20261129061000 } from './tenant-22-directory-clients.js';
import { TenantReplays20261129062000 } from './tenant-23-replays.js';
import { TenantRolelessDirectories20261129063000 } from './tenant-24-roleless-directories.js';
import { TenantEndedChallenges20261130010000 } from './tenant-25-ended-challenges.js';
import { TenantReopenedAlerts20261130090200 } from './tenant-26-reopened-alerts.js';
import { TenantConnectionDomains20261130110100 } from './tenant-27-connection-domains.js';
import { TenantCredentialProjects20261130120000 } from './tenant-28-credential-projects.js';
import { TenantFederatedClients20261130130000 } from './tenant-29-federated-clients.js';
import { TenantScim20261129040000 } from './tenant-18-scim.js';

/**
 * The newest timestamp of a migration that a release has brought to other people's databases; 0 before the first
 * release. Raised with each. Only what was released before may be the earlier step of one that takes something away.
 */
export const RELEASED_THROUGH = 0;

/** Applied once per database, in the order of their timestamps. */
export const CELL_MIGRATIONS: readonly MigrationClass[] = [
  CellFoundation20261121000000,
  CellCells20261121000200,
  CellLifecycle20261121000300,
  CellMoves20261121000400,
  CellCheckpoints20261121000500,
  CellLimits20261121000600,
  CellHardening20261121000700,
  CellLogPeriods20261121000710,
  CellColdLogs20261121000720,
  CellKeys20261122000100,
  CellDeliveries20261122002000,
  CellRestores20261122003000,
  CellDetection20261122003100,
  CellAlertWork20261122003200,
  CellLogIndex20261122006000,
  CellSavedExports20261122006100,
  CellSignIn20261122007000,
  CellPasswordResets20261122007200,
  CellSigningKeys20261122007400,
  CellRequestBodies20261122007500,
  CellDomains20261122009000,
  CellOwnBytes20261129060000,
  CellSettledCommits20261130081500,
  CellRechecks20261130090000,
  CellDeliveryLag20261130090100,
  CellCustomerKeys20261130091500,
  CellExpiries20261130100000,
  CellPublications20261130101000,
  CellUnstoredTiles20261130102000,
  CellWithheldFields20261130103000,
];

/** Applied once per tenant. */
export const TENANT_MIGRATIONS: readonly MigrationClass[] = [
  TenantFoundation20261121000000,
  TenantQuotas20261121000300,
  TenantKeys20261122000100,
  TenantDestinations20261122002000,
  TenantStepUp20261122003000,
  TenantAlerts20261122003100,
  TenantNotifications20261122003200,
  TenantCustody20261122004000,
  TenantSubjects20261122005000,
  TenantSessions20261122007100,
  TenantPasswords20261122007300,
  TenantApiKeys20261122007500,
  TenantHeldKeys20261122007600,
  TenantFederation20261122009000,
  TenantGroups20261129010000,
  TenantSecondFactors20261129020000,
  TenantOauthClients20261129030000,
  TenantAccess20261129050000,
  TenantImpersonations20261129052000,
  TenantScim20261129040000,
  TenantSharedSignals20261129060000,
  TenantDirectoryClients20261129061000,
  TenantReplays20261129062000,
  TenantRolelessDirectories20261129063000,
  TenantEndedChallenges20261130010000,
  TenantReopenedAlerts20261130090200,
  TenantConnectionDomains20261130110100,
  TenantCredentialProjects20261130120000,
  TenantFederatedClients20261130130000,
];
