export { HomeInUse, lockHome, type HomeLock } from './embedded/home-lock.js';
export {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  type PostgresConnection,
} from './embedded/postgres.js';
export {
  QueueUnavailable,
  type ConsumeOptions,
  type JobConsumer,
  type JobHandler,
  type QueuedJob,
  type QueueTuning,
} from './queue/job-queue.js';
export { PgBossQueue, type PgBossQueueOptions } from './queue/pg-boss-queue.js';
export { AwsKms, type AwsKmsOptions } from './kms/aws-kms.js';
export { KmsError, type DataKey, type KmsContext, type KmsErrorCode } from './kms/kms-error.js';
export { LocalKms } from './kms/local-kms.js';
export { FileObjectStore } from './objects/file-object-store.js';
export { ObjectEnvelope } from './objects/object-envelope.js';
export {
  ObjectLocked,
  ObjectStoreError,
  type ListOptions,
  type ObjectLock,
  type PutOptions,
} from './objects/object-key.js';
export { S3ObjectStore, type S3ObjectStoreOptions } from './objects/s3-object-store.js';
export * from './egress/address-policy.js';
export * from './egress/egress-error.js';
export * from './egress/guarded-fetch.js';
export { OutgoingPosts, type OutgoingPostsOptions } from './egress/outgoing-posts.js';
export { HttpBreachRanges } from './egress/breach-ranges.js';
export { ProviderRequests, type ProviderRequestsOptions } from './egress/provider-requests.js';
export { DnsNameServer, type DnsOptions } from './dns/name-server.js';
export { SmtpMailer, type SmtpMailerOptions } from './mail/smtp-mailer.js';
export * from './models/anthropic.js';
export * from './models/demo.js';
export * from './models/model-providers.js';
export * from './models/openai.js';
export type { ModelEndpoint } from './models/provider-call.js';
export * from './sandbox/child-process.js';
export {
  CountryDatabase,
  CountryDatabaseUnfit,
  type CountryDatabaseOptions,
} from './geo/country-database.js';
export { MemoryTokenBuckets, type MemoryTokenBucketsOptions } from './limits/memory-token-buckets.js';
export { leaseSize, type Quota, type Taken } from './limits/token-bucket.js';
