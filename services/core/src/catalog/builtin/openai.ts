import type { BuiltinModel, Modality, Tag } from '../builtin-models.ts';
import { OPENAI_CHAT, OPENAI_REASONING } from './parameters.ts';

interface Facts {
  readonly name: string;
  readonly description: string;
  readonly released: string;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
}

const TEXT_AND_IMAGES: readonly Modality[] = ['text', 'image', 'file'];
const TAGS: readonly Tag[] = ['tool-use', 'vision', 'file-input', 'implicit-caching'];

function openai(model: string, facts: Facts, reasoning: boolean): BuiltinModel {
  return {
    id: `openai/${model}`,
    type: 'chat',
    ...facts,
    input: TEXT_AND_IMAGES,
    tags: reasoning ? ['reasoning', ...TAGS] : TAGS,
    parameters: reasoning ? OPENAI_REASONING : OPENAI_CHAT,
    endpoints: [
      ['openai', model],
      ['openrouter', `openai/${model}`],
    ],
  };
}

const chat = (model: string, facts: Facts) => openai(model, facts, false);
const reasoning = (model: string, facts: Facts) => openai(model, facts, true);

export const OPENAI_MODELS: readonly BuiltinModel[] = [
  chat('gpt-4o-mini', {
    name: 'GPT-4o mini',
    description: 'Small, fast and cheap model for everyday tasks, with vision.',
    released: '2024-07-18',
    contextWindow: 128_000,
    maxOutputTokens: 16_384,
  }),
  chat('gpt-4o', {
    name: 'GPT-4o',
    description: 'Versatile model for text and images.',
    released: '2024-05-13',
    contextWindow: 128_000,
    maxOutputTokens: 16_384,
  }),
  chat('gpt-4.1', {
    name: 'GPT-4.1',
    description: 'Strong at coding and instruction following, with a context of a million tokens.',
    released: '2025-04-14',
    contextWindow: 1_047_576,
    maxOutputTokens: 32_768,
  }),
  chat('gpt-4.1-mini', {
    name: 'GPT-4.1 mini',
    description: 'Smaller, faster GPT-4.1 with the same context.',
    released: '2025-04-14',
    contextWindow: 1_047_576,
    maxOutputTokens: 32_768,
  }),
  chat('gpt-4.1-nano', {
    name: 'GPT-4.1 nano',
    description: 'Fastest and cheapest GPT-4.1, for classification and completion.',
    released: '2025-04-14',
    contextWindow: 1_047_576,
    maxOutputTokens: 32_768,
  }),
  reasoning('gpt-5', {
    name: 'GPT-5',
    description: 'Reasoning model for coding and agentic tasks.',
    released: '2025-08-07',
    contextWindow: 400_000,
    maxOutputTokens: 128_000,
  }),
  reasoning('gpt-5-mini', {
    name: 'GPT-5 mini',
    description: 'Faster, cheaper GPT-5 for well-defined tasks.',
    released: '2025-08-07',
    contextWindow: 400_000,
    maxOutputTokens: 128_000,
  }),
  reasoning('gpt-5-nano', {
    name: 'GPT-5 nano',
    description: 'Fastest and cheapest GPT-5, for summaries and classification.',
    released: '2025-08-07',
    contextWindow: 400_000,
    maxOutputTokens: 128_000,
  }),
  reasoning('gpt-5.1', {
    name: 'GPT-5.1',
    description: 'GPT-5 with adaptive reasoning; can answer without thinking.',
    released: '2025-11-13',
    contextWindow: 400_000,
    maxOutputTokens: 128_000,
  }),
  reasoning('gpt-5.2', {
    name: 'GPT-5.2',
    description: 'Reasoning model for professional and agentic work.',
    released: '2025-12-11',
    contextWindow: 400_000,
    maxOutputTokens: 128_000,
  }),
  reasoning('o3', {
    name: 'o3',
    description: 'Reasoning model for mathematics, science, coding and vision.',
    released: '2025-04-16',
    contextWindow: 200_000,
    maxOutputTokens: 100_000,
  }),
  reasoning('o4-mini', {
    name: 'o4-mini',
    description: 'Fast, cheap reasoning model, strong at coding and vision.',
    released: '2025-04-16',
    contextWindow: 200_000,
    maxOutputTokens: 100_000,
  }),
];
