import type { BuiltinModel, Modality, Tag } from '../builtin-models.ts';
import { GEMINI_CHAT, GEMINI_REASONING } from './parameters.ts';

interface Facts {
  readonly name: string;
  readonly description: string;
  readonly released: string;
  readonly maxOutputTokens: number;
  readonly reasoning: boolean;
}

const INPUT: readonly Modality[] = ['text', 'image', 'audio', 'video', 'file'];
const TAGS: readonly Tag[] = ['tool-use', 'vision', 'file-input', 'implicit-caching'];

function gemini(model: string, { reasoning, ...facts }: Facts): BuiltinModel {
  return {
    id: `google/${model}`,
    type: 'chat',
    ...facts,
    contextWindow: 1_048_576,
    input: INPUT,
    tags: reasoning ? ['reasoning', ...TAGS] : TAGS,
    parameters: reasoning ? GEMINI_REASONING : GEMINI_CHAT,
    endpoints: [
      ['gemini', model],
      ['vertex', model],
      ['openrouter', `google/${model}`],
    ],
  };
}

export const GOOGLE_MODELS: readonly BuiltinModel[] = [
  gemini('gemini-2.5-pro', {
    name: 'Gemini 2.5 Pro',
    description: 'Thinking model for complex problems in code, mathematics and long documents.',
    released: '2025-06-17',
    maxOutputTokens: 65_536,
    reasoning: true,
  }),
  gemini('gemini-2.5-flash', {
    name: 'Gemini 2.5 Flash',
    description: 'Fast thinking model with a good balance of price and strength.',
    released: '2025-06-17',
    maxOutputTokens: 65_536,
    reasoning: true,
  }),
  gemini('gemini-2.5-flash-lite', {
    name: 'Gemini 2.5 Flash-Lite',
    description: 'Cheapest Gemini 2.5, for high volume.',
    released: '2025-07-22',
    maxOutputTokens: 65_536,
    reasoning: true,
  }),
  gemini('gemini-2.0-flash', {
    name: 'Gemini 2.0 Flash',
    description: 'Fast model without thinking.',
    released: '2025-02-05',
    maxOutputTokens: 8192,
    reasoning: false,
  }),
];
