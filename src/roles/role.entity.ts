import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm';
import type { PermissionName } from '../access/index.js';
import type { Grantable } from '../platform/http/grants.js';

/** A role that an organisation has made itself: a name for some permissions. */
@Entity('roles')
export class RoleEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  description!: string;

  @Column('text', { array: true })
  permissions!: PermissionName[];

  @VersionColumn()
  version!: number;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;
}

/** Roles that are granted on parts of an organisation. That of an Owner is not among them. */
export const GRANTED_ROLES = ['Admin', 'Developer', 'Viewer'] as const;
export type GrantedRole = (typeof GRANTED_ROLES)[number];

export const PRINCIPAL_TYPES = ['user', 'group', 'service_account'] as const;
export type PrincipalType = (typeof PRINCIPAL_TYPES)[number];

/** Somebody holds a role somewhere. Made and taken away, never changed. */
@Entity('role_grants')
export class GrantEntity {
  @PrimaryColumn('uuid')
  id!: string;

  /** One of these holds it. */
  @Column('uuid', { name: 'user_id', nullable: true })
  userId!: string | null;

  @Column('uuid', { name: 'group_id', nullable: true })
  groupId!: string | null;

  /** A client of OAuth (src/oauth). */
  @Column('uuid', { name: 'service_account_id', nullable: true })
  serviceAccountId!: string | null;

  @Column('text', { nullable: true })
  role!: GrantedRole | null;

  /** A role of the organisation's own, where it is none of the default ones. */
  @Column('uuid', { name: 'role_id', nullable: true })
  roleId!: string | null;

  @Column('text', { name: 'resource_type' })
  resourceType!: Grantable;

  @Column('text', { name: 'resource_id' })
  resourceId!: string;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;
}
