export { CELL_CAPACITY, type FurtherCell } from './cells.js';
export {
  AuthConfig,
  DatabaseConfig,
  HttpConfig,
  LimitsConfig,
  PasswordConfig,
  ReceiversConfig,
  RegionConfig,
  RetentionConfig,
  SecondFactorConfig,
  type TextMessagesConfig,
  WorkerConfig,
  type Rate,
} from './config.js';
export {
  ConfigurationError,
  environment,
  homeCell,
  isSameKmsKey,
  readEnvironment,
  refuseContradictions,
  refuseSharedCells,
  refuseUnfitProduction,
  type Environment,
} from './environment.js';
export { fitEnvironment } from './fit-environment.js';
export { refusePlaintext } from './transport.js';
