import { vectorOf } from '../../embedding/vectors.ts';
import { type Directives, splitText } from '../../faults/directives.ts';
import { countTokens } from '../../text/tokens.ts';
import { validation } from './errors.ts';
import type { EmbedAnswer } from './invoke.ts';
import { type BodySchema, checkModelBody } from './modelSchema.ts';

const maxTokens = 8192;
/** What `normalize: false` makes of a unit vector: anything but one. */
const unnormalisedLength = 10;

const inputText = { type: 'String', minLength: 1, maxLength: 50_000 } as const;

/** User guide, "Amazon Titan Embeddings G1 - Text" and "Amazon Titan Text Embeddings V2". */
const schemas: Readonly<Record<'v1' | 'v2', BodySchema>> = {
  v1: { required: ['inputText'], members: { inputText } },
  v2: {
    required: ['inputText'],
    members: {
      inputText,
      dimensions: { type: 'Integer', enum: [256, 512, 1024] },
      normalize: { type: 'Boolean' },
      embeddingTypes: { type: 'JSONArray', items: { type: 'String', enum: ['float', 'binary'] } },
    },
  },
};

/** One text a call; it is never cut. */
export function embedWithTitan(json: unknown, model: string, directives: Directives): EmbedAnswer {
  const version = model.includes('v2') ? 'v2' : 'v1';
  const body = checkModelBody(json, schemas[version], directives.lenient === true);
  const text = splitText(String(body.inputText)).rest;
  const tokens = countTokens(text);
  if (tokens > maxTokens)
    throw validation(
      `400 Bad Request: Too many input tokens. Max input tokens: ${maxTokens}, request input token count: ${tokens} `,
    );
  const native = version === 'v2' ? 1024 : 1536;
  const dimensions = directives.dims ?? (typeof body.dimensions === 'number' ? body.dimensions : native);
  const unit = vectorOf(text, dimensions);
  const vector = body.normalize === false ? unit.map((value) => value * unnormalisedLength) : unit;
  const embedding = directives.empty ? [] : Array.from(vector);
  const count = directives.nousage ? {} : { inputTextTokenCount: tokens };
  const types: readonly unknown[] = Array.isArray(body.embeddingTypes) ? body.embeddingTypes : ['float'];
  const embeddingsByType = {
    ...(types.includes('binary') ? { binary: embedding.map((value) => (value > 0 ? 1 : 0)) } : {}),
    ...(types.includes('float') ? { float: embedding } : {}),
  };
  return {
    value: version === 'v2' ? { embedding, embeddingsByType, ...count } : { embedding, ...count },
    lists: {},
    tokens,
  };
}
