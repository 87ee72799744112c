import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm';
import { Encrypted, type Sealed } from '../encryption/index.js';

export const DESTINATION_KINDS = ['splunk_hec', 'datadog', 'webhook', 'stdout'] as const;
export type DestinationKind = (typeof DESTINATION_KINDS)[number];

/** What of a destination is no secret. Which members there are depends on the kind. */
export interface DestinationSettings {
  readonly url?: string;
  readonly index?: string;
  readonly sourcetype?: string;
  readonly service?: string;
  readonly tags?: readonly string[];
  /** Whether address, user agent and e-mail address of whoever acted go along. */
  readonly personalData: boolean;
}

/** What a receiver knows us by: a token, an API key, or the secret that signs. */
export interface Credentials {
  readonly current: string;
  /** Of a secret that was replaced: it signs as well for a while. */
  readonly previous?: { readonly secret: string; readonly until: string };
}

/** Where a tenant's log is delivered to. */
@Entity('audit_destinations')
export class DestinationEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  kind!: DestinationKind;

  @Column('jsonb')
  settings!: DestinationSettings;

  @Encrypted({ nullable: true })
  credentials!: Sealed<Credentials> | null;

  @Column('boolean')
  paused!: boolean;

  @VersionColumn()
  version!: number;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;
}
