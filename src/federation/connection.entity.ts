import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm';
import type { Role } from '../auth/index.js';
import { Encrypted, type Sealed } from '../encryption/index.js';
import { roleMappingColumn, type RoleMapping } from './mapped-role.js';

export const CONNECTION_TYPES = ['oidc', 'saml'] as const;
export type ConnectionType = (typeof CONNECTION_TYPES)[number];
export const CONNECTION_STATES = ['draft', 'active', 'disabled'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];
export const PROVIDERS = ['okta', 'entra', 'google', 'generic'] as const;
export type Provider = (typeof PROVIDERS)[number];

export const SECOND_FACTOR_TRUSTS = ['claimed', 'always', 'never'] as const;

/** Whether a provider's sign-in counts as one with a second factor: where it says so, always, or never. */
export type SecondFactorTrust = (typeof SECOND_FACTOR_TRUSTS)[number];

export interface OidcSettings {
  readonly provider: Provider;
  readonly issuer: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Google: the Workspace domain that `hd` must name. */
  readonly hostedDomain?: string;
  /** Entra ID: the directory that `tid` must name. */
  readonly entraTenantId?: string;
  /** The provider checks addresses itself and does not say so (`email_verified`): its word is taken for verified domains. */
  readonly trustsEmail: boolean;
  /** Absent from connections of before: `claimed`. */
  readonly secondFactor?: SecondFactorTrust;
}

export interface SamlSettings {
  readonly provider: Provider;
  readonly entityId: string;
  readonly signOnUrl: string;
  readonly logoutUrl?: string;
  /** PEM, several while one is replaced by another. */
  readonly certificates: readonly string[];
  /** From where the above is read again every hour. */
  readonly metadataUrl?: string;
  readonly idpInitiated: boolean;
  /** Absent from connections of before: `claimed`. */
  readonly secondFactor?: SecondFactorTrust;
  /** PEM of our own certificate: the provider checks our signatures with it, and encrypts to it. */
  readonly ownCertificate: string;
}

/** OIDC: the client's secret. SAML: our private key, PEM (PKCS #8). */
export interface ConnectionSecrets {
  readonly clientSecret?: string;
  readonly privateKey?: string;
}

/** Which claim or attribute says what. */
export interface AttributeMapping {
  readonly email: string;
  readonly name: string;
  readonly groups: string;
}

/** A way in through an identity provider, as an organisation has set it. */
@Entity('sso_connections')
export class ConnectionEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  type!: ConnectionType;

  @Column('text')
  state!: ConnectionState;

  @Column('jsonb')
  settings!: OidcSettings | SamlSettings;

  @Encrypted({ nullable: true })
  secrets!: Sealed<ConnectionSecrets> | null;

  @Column('jsonb')
  mapping!: AttributeMapping;

  @Column('jsonb', { transformer: roleMappingColumn })
  roles!: RoleMapping;

  /** Of whoever set it last: nobody signs in through it who holds more. */
  @Column('text', { name: 'highest_role' })
  highestRole!: Role;

  /** Whether people who are not known yet are added. */
  @Column('boolean')
  provisioning!: boolean;

  @Column('text')
  linking!: 'verified_email' | 'none';

  /** Whose people are sent here; none: those of domains that no other connection names. */
  @Column('text', { array: true })
  domains!: string[];

  @Column('text', { name: 'last_error', nullable: true })
  lastError!: string | null;

  @Column('timestamptz', { name: 'last_error_at', nullable: true })
  lastErrorAt!: Date | null;

  @VersionColumn()
  version!: number;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;
}

export type OidcConnection = ConnectionEntity & { readonly type: 'oidc'; readonly settings: OidcSettings };
export type SamlConnection = ConnectionEntity & { readonly type: 'saml'; readonly settings: SamlSettings };

export function isOidc(connection: ConnectionEntity): connection is OidcConnection {
  return connection.type === 'oidc';
}

export function isSaml(connection: ConnectionEntity): connection is SamlConnection {
  return connection.type === 'saml';
}
