export { AuthConfig, DatabaseConfig, HttpConfig, LimitsConfig, WorkerConfig, type Rate } from './config.js';
export {
  ConfigurationError,
  environment,
  readEnvironment,
  refuseContradictions,
  refuseUnfitProduction,
  type Environment,
} from './environment.js';
