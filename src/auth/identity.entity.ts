import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm';
import { Encrypted, Sealed } from '../encryption/index.js';

/** From the most to the least. A Member may do nothing but what they are granted (src/roles). */
export const ROLES = ['Owner', 'Admin', 'Developer', 'Viewer', 'Member'] as const;
export type Role = (typeof ROLES)[number];

export const USER_STATES = ['active', 'disabled', 'erased'] as const;
export type UserStatus = (typeof USER_STATES)[number];

/** The form of an address under which it is looked up. */
export function canonicalEmail(email: string): string {
  return email.normalize('NFC').trim().toLowerCase();
}

@Entity('users')
export class UserEntity {
  @PrimaryColumn('uuid')
  id!: string;

  /** Null of somebody who was erased, as whatever else says who it was. */
  @Encrypted({ lookup: canonicalEmail, nullable: true, ofPerson: true })
  email!: Sealed<string> | null;

  emailIndex!: Buffer | null;

  emailIndexAlt!: Buffer | null;

  @Encrypted({ name: 'display_name', nullable: true, ofPerson: true })
  displayName!: Sealed<string> | null;

  /** E.164. */
  @Encrypted({ nullable: true, ofPerson: true })
  phone!: Sealed<string> | null;

  @Column({ type: 'text', name: 'password_hash', nullable: true })
  passwordHash!: string | null;

  @Column('text')
  role!: Role;

  @Column('text')
  status!: UserStatus;

  /** Rises with every revocation: tokens of an earlier epoch are dead. */
  @Column('integer')
  epoch!: number;

  @VersionColumn()
  version!: number;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;
}

@Entity('api_keys')
export class ApiKeyEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  prefix!: string;

  @Column({ type: 'bytea', name: 'secret_hash' })
  secretHash!: Buffer;

  @Column('text', { array: true })
  scopes!: string[];

  @Column('uuid', { name: 'user_id' })
  userId!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @Column({ type: 'timestamptz', name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'revoked_at', nullable: true })
  revokedAt!: Date | null;

  @Column({ type: 'timestamptz', name: 'last_used_at', nullable: true })
  lastUsedAt!: Date | null;

  /** From where it may be used; `null`: from everywhere. */
  @Column('text', { array: true, name: 'allowed_networks', nullable: true })
  allowedNetworks!: string[] | null;

  @Column({ type: 'integer', name: 'requests_per_minute', nullable: true })
  requestsPerMinute!: number | null;

  /** In which projects alone it may do anything; `null`: not limited. */
  @Column('uuid', { array: true, nullable: true })
  projects!: string[] | null;

  /** The key that has taken its place. */
  @Column({ type: 'uuid', name: 'replaced_by', nullable: true })
  replacedBy!: string | null;
}
