import type { AgentDefinition } from '@waxell/sdk';
import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm';
import { Encrypted, Sealed } from '../encryption/index.js';

/** Keys that a tenant brings for model providers, by provider. */
export type ProviderKeys = Partial<Record<'openai' | 'anthropic', string>>;

@Entity('projects')
export class ProjectEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  description!: string;

  /** What it is for, such as `production`; policies look at it. */
  @Column('text', { nullable: true })
  environment!: string | null;

  @Column('text', { array: true })
  tags!: string[];

  @VersionColumn()
  version!: number;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;
}

/** An agent's draft, and which of its versions is published. */
@Entity('agents')
export class AgentEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'project_id' })
  projectId!: string;

  @Column('text')
  name!: string;

  @Column('text')
  description!: string;

  /** Absent: its project's. */
  @Column('text', { nullable: true })
  environment!: string | null;

  @Column('text', { array: true })
  tags!: string[];

  @Column('jsonb')
  definition!: AgentDefinition;

  @Encrypted({ name: 'api_keys', nullable: true })
  providerKeys!: Sealed<ProviderKeys> | null;

  /** For which providers there are keys: so that telling it needs no decryption. */
  @Column('text', { name: 'api_key_providers', array: true })
  apiKeyProviders!: string[];

  @Column('integer', { name: 'published_version', nullable: true })
  publishedVersion!: number | null;

  @VersionColumn()
  version!: number;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;

  @Column('timestamptz', { name: 'deleted_at', nullable: true })
  deletedAt!: Date | null;
}

/** What was published, as it was. The database lets nobody change it. */
@Entity('agent_versions')
export class AgentVersionEntity {
  @PrimaryColumn('uuid', { name: 'agent_id' })
  agentId!: string;

  @PrimaryColumn('integer')
  number!: number;

  @Column('jsonb')
  definition!: AgentDefinition;

  @Column('text', { name: 'published_by' })
  publishedBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'published_at' })
  publishedAt!: Date;
}
