import { describe, expect, it } from 'vitest';
import { agentDefinition, defineAgent } from './agent-definition.js';
import { RUN_STATUSES, TERMINAL_RUN_STATUSES } from './run.js';

const model = { provider: 'openai', name: 'gpt-5' } as const;

it('names the wrong field', () => {
  expect(() => defineAgent({ instructions: '', model })).toThrow('instructions');
});

describe('an agent definition', () => {
  it('fills in every limit, so that none is ever absent', () => {
    expect(defineAgent({ instructions: 'Answer.', model })).toEqual({
      instructions: 'Answer.',
      model: { ...model, maxOutputTokens: 4_096 },
      limits: { maxModelCalls: 16, timeoutSeconds: 300, maxOutputBytes: 1_048_576 },
    });
  });

  it('is its own normal form: what is stored parses to itself', () => {
    const defined = defineAgent({ instructions: 'Answer.', model, limits: { timeoutSeconds: 5 } });
    expect(defineAgent(JSON.parse(JSON.stringify(defined)))).toEqual(defined);
  });

  it.each([
    ['an unknown member', { instructions: 'a', model, tools: [] }],
    ['an unknown member of the model', { instructions: 'a', model: { ...model, apiKey: 'sk-1' } }],
    ['an unknown provider', { instructions: 'a', model: { provider: 'other', name: 'x' } }],
    ['empty instructions', { instructions: '', model }],
    [
      'a base URL that is not http',
      { instructions: 'a', model: { ...model, baseUrl: 'file:///etc/passwd' } },
    ],
    ['a limit of nothing', { instructions: 'a', model, limits: { timeoutSeconds: 0 } }],
    ['a limit beyond ours', { instructions: 'a', model, limits: { maxModelCalls: 1_001 } }],
  ])('refuses %s', (_what, definition) => {
    expect(agentDefinition.safeParse(definition).success).toBe(false);
  });
});

it('has no way out of a terminal status, and names only statuses that exist', () => {
  expect([...TERMINAL_RUN_STATUSES].every((status) => RUN_STATUSES.includes(status))).toBe(true);
  expect(TERMINAL_RUN_STATUSES.has('PAUSED')).toBe(false);
});
