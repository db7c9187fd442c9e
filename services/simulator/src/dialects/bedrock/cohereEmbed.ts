import { randomUUID } from 'node:crypto';
import { fitText } from '../../embedding/fit.ts';
import { type Directives, splitText } from '../../faults/directives.ts';
import { vectorLists } from '../cohere/answer.ts';
import { embeddingTypes, inputText } from '../cohere/request.ts';
import { validation } from './errors.ts';
import type { EmbedAnswer } from './invoke.ts';
import { type BodySchema, checkModelBody, malformed } from './modelSchema.ts';
import type { JsonObject } from './shape.ts';

const maxItems = 96;
const types = embeddingTypes.filter((type) => type !== 'base64');

/** User guide, "Cohere Embed v3" and "Cohere Embed v4". */
const schemas: Readonly<Record<'v3' | 'v4', BodySchema>> = {
  v3: {
    required: ['texts', 'input_type'],
    members: {
      texts: { type: 'JSONArray', maxItems, items: { type: 'String', minLength: 1, maxLength: 2048 } },
      input_type: {
        type: 'String',
        enum: ['search_document', 'search_query', 'classification', 'clustering', 'image'],
      },
      truncate: { type: 'String', enum: ['NONE', 'START', 'END'] },
      embedding_types: { type: 'JSONArray', items: { type: 'String', enum: types } },
    },
  },
  v4: {
    required: ['input_type'],
    members: {
      texts: { type: 'JSONArray', maxItems, items: { type: 'String', minLength: 1 } },
      inputs: { type: 'JSONArray', maxItems },
      input_type: { type: 'String', enum: ['search_document', 'search_query', 'classification', 'clustering'] },
      truncate: { type: 'String', enum: ['NONE', 'LEFT', 'RIGHT'] },
      embedding_types: { type: 'JSONArray', items: { type: 'String', enum: types } },
      output_dimension: { type: 'Integer', enum: [256, 512, 1024, 1536] },
      max_tokens: { type: 'Integer' },
    },
  },
};

/** Cohere's Embed models as Bedrock serves them. Their answers have no token counts: those stand in a header only. */
export function embedWithCohere(json: unknown, model: string, directives: Directives): EmbedAnswer {
  const version = model.includes('v4') ? 'v4' : 'v3';
  const body = checkModelBody(json, schemas[version], directives.lenient === true);
  const texts = textsOf(body);
  const { truncate = 'NONE', max_tokens: wanted, output_dimension: dimension, embedding_types: asked } = body;
  const most = version === 'v4' ? 128_000 : 512;
  const limit = typeof wanted === 'number' ? Math.min(wanted, most) : most;
  const fitted = texts.map((text, index) => {
    const fit = fitText(text, limit, truncate === 'START' || truncate === 'LEFT' ? 'start' : 'end');
    if (fit.truncated && truncate === 'NONE')
      throw validation(`Input is too long: texts[${index}] has more than ${limit} tokens and truncate is NONE.`);
    return fit;
  });
  const dimensions = directives.dims ?? (typeof dimension === 'number' ? dimension : version === 'v4' ? 1536 : 1024);
  const list: readonly unknown[] = Array.isArray(asked) && asked.length > 0 ? asked : [];
  const chosen = types.filter((type) => list.includes(type));
  const lists = vectorLists({ texts, fitted, types: chosen.length > 0 ? chosen : ['float'], dimensions }, directives);
  const byType = chosen.length > 0;
  return {
    value: {
      id: randomUUID(),
      texts,
      embeddings: byType ? Object.fromEntries(chosen.map((type) => [type, []])) : [],
      response_type: byType ? 'embeddings_by_type' : 'embeddings_floats',
    },
    lists: byType ? lists : { embeddings: lists.float ?? [] },
    tokens: fitted.reduce((sum, { tokens }) => sum + tokens, 0),
  };
}

function textsOf({ texts, inputs }: JsonObject): string[] {
  const given = [texts, inputs].filter((list) => Array.isArray(list));
  const list: readonly unknown[] = given[0] ?? [];
  if (given.length !== 1 || list.length === 0) throw malformed(['#: required key [texts] not found']);
  return list.map((item) => splitText(typeof item === 'string' ? item : inputText(item)).rest);
}
