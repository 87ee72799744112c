import {
  readEnvironment,
  refuseContradictions,
  refuseUnfitProduction,
  type Environment,
} from './environment.js';
import { refusePlaintext } from './transport.js';

/** What a process is configured with; refused where it must not start with it. */
export function fitEnvironment(
  variables: Record<string, string | undefined>,
  process: 'main' | 'worker',
): Environment {
  const env = readEnvironment(variables);
  refuseUnfitProduction(env);
  refuseContradictions(env);
  refusePlaintext(env, variables, process);
  return env;
}
