import { Injectable } from '@nestjs/common';
import { Addresses } from './addresses.js';
import type { ConnectionEntity, Provider } from './connection.entity.js';
import type { SetupDto } from './setup.dto.js';

type Steps = readonly string[];

const OIDC_STEPS: Readonly<Record<Provider, Steps>> = {
  okta: [
    'Okta Admin Console, Applications, Create App Integration: OIDC, Web Application.',
    'Sign-in redirect URIs: the redirect URI below, and nothing else. Sign-out redirect URIs: the sign-out URI.',
    'Logout, back-channel (where your edition has it): the back-channel logout URL.',
    'Sign On, OpenID Connect ID Token, Groups claim filter: groups, Matches regex, .*',
    'Give client id, client secret and issuer (https://YOUR.okta.com) to this connection.',
  ],
  entra: [
    'Entra admin center, App registrations, New registration: accounts in this organizational directory only.',
    'Redirect URI, platform Web: the redirect URI below. Front-channel logout is not used.',
    'Certificates & secrets: a new client secret. Token configuration: optional claims email (ID token), groups claim.',
    'API permissions: openid, email, profile, GroupMember.Read.All (for people in more than 200 groups).',
    'Issuer: https://login.microsoftonline.com/YOUR-DIRECTORY-ID/v2.0. Set entraTenantId, and trustsEmail, as Entra ID does not say that it has verified addresses.',
  ],
  google: [
    'Google Cloud console, APIs & Services, Credentials: OAuth client ID, Web application; audience Internal.',
    'Authorized redirect URIs: the redirect URI below.',
    'Issuer: https://accounts.google.com. Set hostedDomain to your Workspace domain: everybody else has an account there too.',
    'Google sends no groups: give roles by the claim hd or to everybody, or use SAML.',
  ],
  generic: [
    'Register a confidential client: authorization code with PKCE (S256), scopes openid, email, profile.',
    'Redirect URI: the one below, exactly.',
    'Give the issuer as the discovery document says it, client id and client secret.',
  ],
};

const SAML_STEPS: Readonly<Record<Provider, Steps>> = {
  okta: [
    'Okta Admin Console, Applications, Create App Integration: SAML 2.0.',
    'Single sign-on URL: the ACS URL (also for Recipient and Destination). Audience URI: the entity id. Name ID format: Persistent or EmailAddress.',
    'Attribute statements: email = user.email, name = user.displayName. Group attribute statements: groups, Matches regex, .*',
    'Give the metadata URL of the application (Sign On, SAML Signing Certificates) to this connection.',
  ],
  entra: [
    'Entra admin center, Enterprise applications, New application, non-gallery; Single sign-on: SAML.',
    'Identifier: the entity id. Reply URL: the ACS URL. Logout URL: the logout URL. Or upload our metadata.',
    'Attributes & Claims: add a group claim. SAML Certificates: sign response and assertion, SHA-256.',
    'Give the App Federation Metadata URL to this connection.',
  ],
  google: [
    'Google Admin console, Apps, Web and mobile apps, Add custom SAML app.',
    'ACS URL and entity id as below; Signed response on; Name ID: EMAIL, Basic Information, Primary email.',
    'Attributes: Primary email as email, First name as name; group membership as groups.',
    'Download the metadata, and give its text as metadataXml: Google does not publish it.',
  ],
  generic: [
    'Upload our metadata, or give entity id and ACS URL by hand.',
    'Sign the assertion or the response with RSA-SHA256 or ECDSA-SHA256; SHA-1 is refused.',
    'Send the attributes email, name, groups, or set the mapping to what you send.',
    'Give your metadata URL, or your metadata, to this connection.',
  ],
};

/** What an administrator pastes where, at the provider. */
@Injectable()
export class SetupGuide {
  constructor(private readonly addresses: Addresses) {}

  of({ id, type, settings }: ConnectionEntity): SetupDto {
    const at = (what: string): string => this.addresses.of(id, what);
    const { provider } = settings;
    const guide = `docs/sso/${provider === 'generic' ? `generic-${type}` : provider === 'entra' ? 'entra-id' : provider}.md`;
    if (type === 'oidc')
      return {
        provider,
        guide,
        steps: [...OIDC_STEPS[provider]],
        redirectUri: at('callback'),
        signOutUri: `${this.addresses.baseUrl}/`,
        backChannelLogoutUrl: at('backchannel-logout'),
        startUrl: at('start'),
      };
    return {
      provider,
      guide,
      steps: [...SAML_STEPS[provider]],
      entityId: at('metadata'),
      acsUrl: at('acs'),
      metadataUrl: at('metadata'),
      logoutUrl: at('logout'),
      startUrl: at('start'),
    };
  }
}
