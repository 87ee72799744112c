import 'reflect-metadata';
import { start as openPrompt } from 'node:repl';
import { ModulesContainer } from '@nestjs/core';
import { exitWithReason } from './exit-with-reason.js';
import { fitEnvironment } from './platform/config/index.js';
import { start } from './start.js';

/** `npm run repl`: the application's providers at a prompt, by their class names: `get('TenantRegistry')`. */
try {
  const variables = { ...process.env, LOG_LEVEL: 'warn', WORKER: 'separate' };
  const started = await start(fitEnvironment(variables, 'main'), 'main');
  const get = (name: string): unknown => {
    for (const module of started.app.get(ModulesContainer).values()) {
      for (const [token, wrapper] of module.providers) {
        if (typeof token === 'function' && token.name === name) return wrapper.instance;
      }
    }
    throw new Error(`No provider is called ${name}.`);
  };
  const prompt = openPrompt({ prompt: 'waxell> ' });
  Object.assign(prompt.context, { app: started.app, get });
  prompt.on('exit', () => {
    void started.stop().then(() => process.exit(0));
  });
} catch (error) {
  exitWithReason(error);
}
