import type { RunError, RunStatus } from '@waxell/sdk';
import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import { Encrypted, Sealed } from '../encryption/index.js';

@Entity('runs')
export class RunEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'agent_id' })
  agentId!: string;

  @Column('integer', { name: 'agent_version' })
  agentVersion!: number;

  @Column('text')
  status!: RunStatus;

  @Encrypted({ name: 'input_data' })
  input!: Sealed<unknown>;

  @Encrypted({ name: 'output_data', nullable: true })
  output!: Sealed<unknown> | null;

  @Column('jsonb', { nullable: true })
  error!: RunError | null;

  @Column('integer', { name: 'input_tokens' })
  inputTokens!: number;

  @Column('integer', { name: 'output_tokens' })
  outputTokens!: number;

  @Column('integer', { name: 'model_calls' })
  modelCalls!: number;

  /** Counts the workers that took it up; a worker of an earlier attempt may not write any more. */
  @Column('integer')
  attempt!: number;

  @Column('timestamptz', { name: 'cancel_requested_at', nullable: true })
  cancelRequestedAt!: Date | null;

  @Column('text', { name: 'created_by' })
  createdBy!: string;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null;

  @Column('timestamptz', { name: 'finished_at', nullable: true })
  finishedAt!: Date | null;
}
