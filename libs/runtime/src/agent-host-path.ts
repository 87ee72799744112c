import { fileURLToPath } from 'node:url';

/**
 * The program that a sandbox runs. Always the compiled file, also when this module is itself read as source by the
 * tests: a sandbox has no TypeScript loader.
 */
export function agentHostPath(): string {
  return fileURLToPath(new URL('../dist/agent-host.js', import.meta.url));
}
