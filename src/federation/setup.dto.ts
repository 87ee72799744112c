/** Only what is of the connection's type. */
export class SetupDto {
  provider!: string;
  /** The page of the documentation that says it at length. */
  guide!: string;
  steps!: string[];
  /** Where people begin: for a tile at the provider, or a link of yours. */
  startUrl!: string;
  /** OIDC. */
  redirectUri?: string;
  signOutUri?: string;
  backChannelLogoutUrl?: string;
  /** SAML: entity id, which is also where our metadata is. */
  entityId?: string;
  acsUrl?: string;
  metadataUrl?: string;
  logoutUrl?: string;
}
