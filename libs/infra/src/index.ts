export { HomeInUse, lockHome, type HomeLock } from './embedded/home-lock.js';
export {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  type PostgresConnection,
} from './embedded/postgres.js';
