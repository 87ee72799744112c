import { z } from 'zod';

/** Which wire protocol a model speaks. `demo` is built in, offline and deterministic. */
export const MODEL_PROVIDERS = ['demo', 'openai', 'anthropic'] as const;

export const modelReference = z.strictObject({
  provider: z.enum(MODEL_PROVIDERS),
  /** The provider's own name of the model. */
  name: z.string().min(1).max(200),
  /** Where the provider answers; leave out for the provider's public endpoint. */
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .optional(),
  temperature: z.number().min(0).max(2).optional(),
  /** Upper bound of tokens that one model call may generate. */
  maxOutputTokens: z.int().min(1).max(1_000_000).default(4_096),
});

export const runLimits = z.strictObject({
  /** Model calls that one run may make. */
  maxModelCalls: z.int().min(1).max(1_000).default(16),
  /** Wall-clock seconds until a run is stopped. */
  timeoutSeconds: z.int().min(1).max(86_400).default(300),
  /** Bytes of JSON that a run may return. */
  maxOutputBytes: z.int().min(1).max(10_485_760).default(1_048_576),
});

/** What an agent is: data only. Published once, it never changes. */
export const agentDefinition = z.strictObject({
  instructions: z.string().min(1).max(100_000),
  model: modelReference,
  limits: runLimits.prefault({}),
});

export type ModelReference = z.infer<typeof modelReference>;
export type RunLimits = z.infer<typeof runLimits>;
export type AgentDefinition = z.infer<typeof agentDefinition>;
/** What a person writes: everything that has a default may be left out. */
export type AgentDefinitionInput = z.input<typeof agentDefinition>;

/** Checks a definition and fills in its defaults. Throws a `ZodError` that names each wrong field. */
export function defineAgent(definition: AgentDefinitionInput): AgentDefinition {
  return agentDefinition.parse(definition);
}
