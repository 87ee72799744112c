import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import { Encrypted, type Sealed } from '../encryption/index.js';

/** Who somebody is at a provider. Never by e-mail address: addresses are given to others, subjects are not. */
@Entity('federated_identities')
export class FederatedIdentityEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'connection_id' })
  connectionId!: string;

  @Column('uuid', { name: 'user_id' })
  userId!: string;

  /** As `subjectKey` makes it. */
  @Encrypted({ lookup: (key: string) => key })
  subject!: Sealed<string>;

  subjectIndex!: Buffer | null;

  subjectIndexAlt!: Buffer | null;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;
}

/** One subject of one issuer through one connection: two connections to one provider are two ways in. */
export function subjectKey(connectionId: string, issuer: string, subject: string): string {
  return JSON.stringify([connectionId, issuer, subject]);
}
