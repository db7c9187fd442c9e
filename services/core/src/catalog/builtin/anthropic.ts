import type { BuiltinModel, Modality, Tag } from '../builtin-models.ts';
import { ANTHROPIC_CHAT, ANTHROPIC_REASONING } from './parameters.ts';

interface Facts {
  readonly name: string;
  readonly description: string;
  readonly released: string;
  readonly maxOutputTokens: number;
  readonly reasoning?: boolean;
}

interface ProviderIds {
  readonly anthropic: string;
  readonly vertex: string;
  readonly bedrock: string;
}

const INPUT: readonly Modality[] = ['text', 'image', 'file'];
const TAGS: readonly Tag[] = ['tool-use', 'vision', 'file-input', 'explicit-caching'];
const CONTEXT_WINDOW = 200_000;

function claude(model: string, ids: ProviderIds, { reasoning = true, ...facts }: Facts): BuiltinModel {
  return {
    id: `anthropic/${model}`,
    type: 'chat',
    ...facts,
    contextWindow: CONTEXT_WINDOW,
    input: INPUT,
    tags: reasoning ? ['reasoning', ...TAGS] : TAGS,
    parameters: reasoning ? ANTHROPIC_REASONING : ANTHROPIC_CHAT,
    endpoints: [
      ['anthropic', ids.anthropic],
      ['vertex', ids.vertex],
      ['bedrock', ids.bedrock],
      ['openrouter', `anthropic/${model}`],
    ],
  };
}

/** The ids of a dated release: every cloud spells the same date in its own way. */
function dated(model: string, date: string): ProviderIds {
  return {
    anthropic: `${model}-${date}`,
    vertex: `${model}@${date}`,
    bedrock: `anthropic.${model}-${date}-v1:0`,
  };
}

export const ANTHROPIC_MODELS: readonly BuiltinModel[] = [
  claude('claude-sonnet-4', dated('claude-sonnet-4', '20250514'), {
    name: 'Claude Sonnet 4',
    description: 'Balanced model for coding and reasoning.',
    released: '2025-05-22',
    maxOutputTokens: 64_000,
  }),
  claude('claude-sonnet-4.5', dated('claude-sonnet-4-5', '20250929'), {
    name: 'Claude Sonnet 4.5',
    description: 'Strong model for agents, coding and computer use.',
    released: '2025-09-29',
    maxOutputTokens: 64_000,
  }),
  claude('claude-haiku-4.5', dated('claude-haiku-4-5', '20251001'), {
    name: 'Claude Haiku 4.5',
    description: 'Fast and cheap model near the strength of Sonnet 4.',
    released: '2025-10-15',
    maxOutputTokens: 64_000,
  }),
  claude('claude-opus-4', dated('claude-opus-4', '20250514'), {
    name: 'Claude Opus 4',
    description: 'Model for long-running, demanding tasks.',
    released: '2025-05-22',
    maxOutputTokens: 32_000,
  }),
  claude('claude-opus-4.1', dated('claude-opus-4-1', '20250805'), {
    name: 'Claude Opus 4.1',
    description: 'Opus 4 improved for agentic tasks and coding.',
    released: '2025-08-05',
    maxOutputTokens: 32_000,
  }),
  claude('claude-opus-4.5', dated('claude-opus-4-5', '20251101'), {
    name: 'Claude Opus 4.5',
    description: 'Strong model for coding, agents and office work.',
    released: '2025-11-24',
    maxOutputTokens: 64_000,
  }),
  claude('claude-3.7-sonnet', dated('claude-3-7-sonnet', '20250219'), {
    name: 'Claude 3.7 Sonnet',
    description: 'First Claude that can think before it answers.',
    released: '2025-02-24',
    maxOutputTokens: 64_000,
  }),
  claude('claude-3.5-haiku', dated('claude-3-5-haiku', '20241022'), {
    name: 'Claude 3.5 Haiku',
    description: 'Fast, cheap model for simple tasks.',
    released: '2024-10-22',
    maxOutputTokens: 8192,
    reasoning: false,
  }),
];
