export { CELL_CAPACITY, type FurtherCell } from './cells.js';
export { AuthConfig, DatabaseConfig, HttpConfig, RegionConfig, WorkerConfig } from './config.js';
export {
  ConfigurationError,
  environment,
  homeCell,
  readEnvironment,
  refuseSharedCells,
  refuseUnfitProduction,
  type Environment,
} from './environment.js';
