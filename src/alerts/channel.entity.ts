import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm';
import { Encrypted, type Sealed } from '../encryption/index.js';
import type { AlertSeverity } from './severity.js';

export const CHANNEL_KINDS = ['pagerduty', 'webhook', 'email'] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];

/** Where to, and what it takes: addresses and secrets alike are kept encrypted. */
export interface Recipient {
  readonly url?: string;
  /** PagerDuty's routing key, or the secret that signs a webhook. */
  readonly secret?: string;
  readonly to?: readonly string[];
}

/** Somebody who is told of alerts. */
@Entity('alert_channels')
export class ChannelEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('text')
  name!: string;

  @Column('text')
  kind!: ChannelKind;

  /** Of alerts this severe, and severer. */
  @Column('text', { name: 'minimum_severity' })
  minimumSeverity!: AlertSeverity;

  @Encrypted()
  recipient!: Sealed<Recipient>;

  @Column('boolean')
  enabled!: boolean;

  @VersionColumn()
  version!: number;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;
}
