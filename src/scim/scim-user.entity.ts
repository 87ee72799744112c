import { Column, CreateDateColumn, Entity, PrimaryColumn, UpdateDateColumn, VersionColumn } from 'typeorm';
import { Encrypted, type Sealed } from '../encryption/index.js';
import { comparable, type Fields } from './protocol/evaluate-filter.js';

/** What a directory says of a person; the row's id is the person's. */
@Entity('scim_users')
export class ScimUserEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'directory_id' })
  directoryId!: string;

  /** As `directoryKey` makes it of `userName`. */
  @Encrypted({ name: 'user_name', lookup: (key: string) => key, ofPerson: true })
  userName!: Sealed<string>;

  userNameIndex!: Buffer | null;

  userNameIndexAlt!: Buffer | null;

  /** The same of `externalId`. */
  @Encrypted({ name: 'external_id', lookup: (key: string) => key, nullable: true, ofPerson: true })
  externalId!: Sealed<string> | null;

  externalIdIndex!: Buffer | null;

  externalIdIndexAlt!: Buffer | null;

  /** All that the directory says, `userName` and `externalId` included; whether the person is active is the account's. */
  @Encrypted({ ofPerson: true })
  attributes!: Sealed<Fields>;

  @VersionColumn()
  version!: number;

  @CreateDateColumn({ type: 'timestamptz', name: 'created_at' })
  createdAt!: Date;

  @UpdateDateColumn({ type: 'timestamptz', name: 'updated_at' })
  updatedAt!: Date;

  /** Since when the directory does not know the person any more. Who comes again is the same person. */
  @Column('timestamptz', { name: 'removed_at', nullable: true })
  removedAt!: Date | null;
}

/** An address by which a directory's people are found: a person may have several, and several persons one. */
@Entity('scim_emails')
export class ScimEmailEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('uuid', { name: 'user_id' })
  userId!: string;

  /** As `directoryKey` makes it. */
  @Encrypted({ lookup: (key: string) => key })
  address!: Sealed<string>;

  addressIndex!: Buffer | null;

  addressIndexAlt!: Buffer | null;
}

/** A value of one directory, as it is looked up: two directories of an organisation may use the same. */
export function directoryKey(directoryId: string, value: string, caseExact = false): string {
  return JSON.stringify([directoryId, comparable({ caseExact }, value)]);
}
