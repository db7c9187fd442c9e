import type { EmbeddingDialect, EmbeddingLimits } from '../embedding-dialect.ts';
import { decodeOpenAiError } from '../openai/error.ts';
import { type Body, bearer, checkDimensions, jsonRequest, layOver, purposeOf, textsOf, Wishes } from './fields.ts';
import { openaiAnswer } from './openai.ts';

const DECIDED = ['input', 'model', 'encoding_format'];
const SIZES = [256, 512, 1024, 2048];

/** Voyage AI (https://docs.voyageai.com/reference/embeddings-api). Its base URL includes `/v1`. */
export const voyageEmbeddings: EmbeddingDialect = {
  name: 'voyage',
  authorization: 'header',
  limits: ({ model }) => limitsOf(model),
  encodeEmbeddings(call, target) {
    const wishes = new Wishes(call);
    checkDimensions(call.dimensions, isFlexible(target.model) ? SIZES : [], target);
    const purpose = purposeOf(wishes, { query: 'query', document: 'document' });
    const truncation = wishes.take('truncation');
    const type = wishes.take('output_dtype');
    const body: Body = {
      model: target.model,
      input: textsOf(call.items, target),
      ...(purpose === undefined ? {} : { input_type: purpose }),
      ...(truncation === undefined ? {} : { truncation }),
      ...(type === undefined ? {} : { output_dtype: type }),
      ...(call.dimensions === null ? {} : { output_dimension: call.dimensions }),
    };
    const warnings = [...wishes.done()];
    layOver(body, call.options, DECIDED, target, warnings);
    // Base64 is of whatever type the numbers have; there is no word for the other form.
    const isFloat = (body.output_dtype ?? 'float') === 'float';
    if (call.format === 'base64' && isFloat) body.encoding_format = 'base64';
    return jsonRequest(`${target.baseUrl}/embeddings`, body, warnings, bearer(target));
  },
  decodeEmbeddings: (body, call) => openaiAnswer(body, call),
  /** `{"detail": "..."}`, which is among the bodies of OpenAI's imitators. */
  decodeError: decodeOpenAiError,
};

const isFlexible = (model: string): boolean => /voyage-(3-large|3\.5|4|code-3)/.test(model);

/** 1000 texts; tokens by model (https://docs.voyageai.com/reference/embeddings-api, `input`). The least where a model is not named. */
function limitsOf(model: string): EmbeddingLimits {
  if (/voyage-(3|3\.5|4)-lite/.test(model)) return { items: 1000, tokens: 1_000_000 };
  if (/voyage-(3\.5|4|2)$/.test(model)) return { items: 1000, tokens: 320_000 };
  return { items: 1000, tokens: 120_000 };
}
