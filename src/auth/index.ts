export { ROLE_OF_STANDING } from './access-of-principal.js';
export { cancelRuns } from './end-access.js';
export { ActorOfCredential } from './actor-of-credential.js';
export { ActorOfPerson } from './actor-of-person.js';
export { AccessTokens } from './access-tokens.js';
export { AllowedNetworks, AreNetworks } from './allowed-networks.js';
export { AreProjects } from './are-projects.js';
export { ApiKeys } from './api-keys.js';
export { Authenticate } from './authenticate.js';
export { AuthenticationGuard } from './authentication.guard.js';
export { Authority } from './authority.js';
export { AuthModule } from './auth.module.js';
export {
  AddressNotAllowed,
  DpopProofInvalid,
  EmailTaken,
  GrantExceedsOwn,
  InvalidCredential,
  LastOwner,
  SignInFailed,
} from './auth.errors.js';
export { namedClient, publicClientId, type NamedClient } from './client-id.js';
export { CALLERS_ALGORITHMS, DpopProofs, type DpopProof } from './dpop-proofs.js';
export { isAbove, refuseAbove, roleOf } from './grants.js';
export { ApiKeyEntity, canonicalEmail, ROLES, UserEntity, type Role } from './identity.entity.js';
export { ErasureFollowers } from './erasure-followers.js';
export { LastUse } from './last-use.js';
export { OwnCeiling } from './own-ceiling.js';
export { Principals, secretHash } from './principals.js';
export { ProvidedUsers, type ProvidedProfile } from './provided-users.js';
export { RefreshChecks, type RefreshedSession } from './refresh-checks.js';
export { deviceOf, placeOf } from './session-binding.js';
export { SessionList } from './session-list.js';
export { ShownOnce } from './shown-once.js';
export { Sessions, type Opening, type SignedIn, type SignInMethod } from './sessions.js';
export { PasswordSignIn, type PasswordProof } from './password-sign-in.js';
export { PasswordWrong, STEP_UP_SECONDS, StepUp, StepUpNeedsSession } from './step-up.js';
export { StepUpGuard } from './step-up.guard.js';
export { TokenTenant } from './token-tenant.js';
export { lockedUser, lockOwners, type LockedUser } from './locked-user.js';
export { Users } from './users.js';
export { sessionCookie } from './session-cookie.js';
export { SignInDto, TokensDto } from './auth.dto.js';
