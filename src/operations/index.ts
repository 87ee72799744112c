export {
  OperationFailed,
  type Operation,
  type OperationData,
  type Step,
  type StepResult,
} from './operation.js';
export { ObservedOperations, type ObservedOperation } from './observed-operations.js';
export { OperationRunner } from './operation-runner.js';
export { Operations, OperationUnderWay, type NewOperation } from './operations.js';
export { OperationsModule } from './operations.module.js';
