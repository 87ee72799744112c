import { Column, Entity, PrimaryColumn, VersionColumn } from 'typeorm';
import { Encrypted, type Sealed } from '../encryption/index.js';
import type { AlertSeverity } from './severity.js';

export const ALERT_STATES = ['open', 'acknowledged', 'resolved'] as const;
export type AlertStatus = (typeof ALERT_STATES)[number];

/** Something in the log that somebody should look at. */
@Entity('alerts')
export class AlertEntity {
  @PrimaryColumn('uuid')
  id!: string;

  /** The rule that found it. */
  @Column('text')
  rule!: string;

  /** Of what it is: while it is not resolved, the same finding is the same alert. */
  @Column('text')
  key!: string;

  @Column('text')
  severity!: AlertSeverity;

  @Column('text')
  status!: AlertStatus;

  @Column('text')
  title!: string;

  /** Counts and ids; nothing personal. */
  @Column('jsonb')
  details!: object;

  /** Whom it concerns, where that is personal: an address, an e-mail address. */
  @Encrypted({ nullable: true })
  subject!: Sealed<Record<string, string>> | null;

  @Column('integer')
  occurrences!: number;

  /** Positions in the log of the first and the last event that led to it. */
  @Column('bigint', { name: 'first_seq' })
  firstSeq!: string;

  @Column('bigint', { name: 'last_seq' })
  lastSeq!: string;

  @Column('timestamptz', { name: 'opened_at' })
  openedAt!: Date;

  @Column('timestamptz', { name: 'acknowledge_by' })
  acknowledgeBy!: Date;

  /** When it is told again, unless somebody has acknowledged it; null where that is over. */
  @Column('timestamptz', { name: 'escalate_at', nullable: true })
  escalateAt!: Date | null;

  /** How often it was told again because nobody had acknowledged it in time. */
  @Column('integer')
  escalations!: number;

  /** How often something was found after somebody had acknowledged it. */
  @Column('integer')
  reopenings!: number;

  @Column('timestamptz', { name: 'acknowledged_at', nullable: true })
  acknowledgedAt!: Date | null;

  @Column('text', { name: 'acknowledged_by', nullable: true })
  acknowledgedBy!: string | null;

  @Column('timestamptz', { name: 'resolved_at', nullable: true })
  resolvedAt!: Date | null;

  @Column('text', { name: 'resolved_by', nullable: true })
  resolvedBy!: string | null;

  @VersionColumn()
  version!: number;
}
