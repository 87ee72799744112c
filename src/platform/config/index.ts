export { AuthConfig, DatabaseConfig, HttpConfig, WorkerConfig } from './config.js';
export {
  ConfigurationError,
  environment,
  readEnvironment,
  refuseUnfitProduction,
  type Environment,
} from './environment.js';
