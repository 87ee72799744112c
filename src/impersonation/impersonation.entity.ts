import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import { Encrypted, type Sealed } from '../encryption/index.js';

/** Somebody of the operator's support looks at an organisation as one of its people would. */
@Entity('impersonations')
export class ImpersonationEntity {
  @PrimaryColumn('uuid')
  id!: string;

  /** As whom. */
  @Column('uuid', { name: 'user_id' })
  userId!: string;

  @Encrypted({ name: 'support_person' })
  supportPerson!: Sealed<string>;

  @Encrypted()
  reason!: Sealed<string>;

  /** Whether agents and runs may be changed, and not only read. */
  @Column('boolean')
  writes!: boolean;

  @Column('integer')
  minutes!: number;

  @Column({ type: 'bytea', name: 'secret_hash' })
  secretHash!: Buffer;

  @CreateDateColumn({ type: 'timestamptz', name: 'requested_at' })
  requestedAt!: Date;

  /** The Owner who has let it begin; null where the organisation allows it beforehand. */
  @Column('text', { name: 'approved_by', nullable: true })
  approvedBy!: string | null;

  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @Column('timestamptz', { name: 'ended_at', nullable: true })
  endedAt!: Date | null;
}
