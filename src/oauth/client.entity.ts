import type { JWK } from 'jose';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm';
import type { Role } from '../auth/index.js';

export const CLIENT_AUTHENTICATIONS = ['client_secret', 'private_key_jwt', 'federated_token'] as const;
export type ClientAuthentication = (typeof CLIENT_AUTHENTICATIONS)[number];
export const CLIENT_STATES = ['active', 'disabled'] as const;
export type ClientState = (typeof CLIENT_STATES)[number];

/** Whose tokens prove a client, exactly: `iss`, `sub` and `aud`. */
export interface ClientFederation {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

/** A client of OAuth: a program that acts for the organisation, and for no person. */
@Entity('oauth_clients')
export class ClientEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  role!: Role;

  /** Of whoever set it last: it never holds more. */
  @Column('text', { name: 'highest_role' })
  highestRole!: Role;

  @Column('text', { array: true })
  scopes!: string[];

  @Column('text')
  authentication!: ClientAuthentication;

  /** For `private_key_jwt`: with which its assertions are verified. */
  @Column('jsonb', { name: 'public_keys', nullable: true })
  publicKeys!: JWK[] | null;

  /** For `federated_token`. */
  @Column('jsonb', { nullable: true })
  federation!: ClientFederation | null;

  @Column('text')
  status!: ClientState;

  @Column('integer', { name: 'access_token_minutes' })
  accessTokenMinutes!: number;

  /** Whether it gets no token but one that is bound to a key. */
  @Column('boolean', { name: 'dpop_bound' })
  dpopBound!: boolean;

  /** From where it may be used; `null`: from everywhere. */
  @Column('text', { array: true, name: 'allowed_networks', nullable: true })
  allowedNetworks!: string[] | null;

  /** In which projects alone it may do anything; `null`: not limited. */
  @Column('uuid', { array: true, nullable: true })
  projects!: string[] | null;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @Column('timestamptz', { name: 'last_used_at', nullable: true })
  lastUsedAt!: Date | null;

  /** Rises where its powers change: tokens of an earlier epoch are dead. */
  @Column('integer')
  epoch!: number;

  @VersionColumn()
  version!: number;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;
}

/** A secret of a client; two at a time, while one takes the place of the other. */
@Entity('oauth_client_secrets')
export class ClientSecretEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'client_id' })
  clientId!: string;

  @Column('bytea', { name: 'secret_hash' })
  secretHash!: Buffer;

  /** The first characters. */
  @Column('text')
  prefix!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;
}
