import type { GenerationConfig, Modality } from '@google/genai';
import type { ChatRequest, Controls } from '../../chat/index.ts';
import { GatewayError } from '../../errors/index.ts';
import type { Fields } from '../translation/index.ts';
import type { Thinking } from './thinking.ts';

export interface Generation extends Omit<GenerationConfig, 'responseModalities' | 'thinkingConfig'> {
  responseModalities?: `${Modality}`[];
  thinkingConfig?: Thinking;
}

const MOST_STOPS = 5;
const MOST_CANDIDATES = 8;
/** The API's seed is a 32-bit number. */
const isSmall = (seed: number): boolean => seed >= -(2 ** 31) && seed < 2 ** 31;

/** Length, sampling and the like, as `generationConfig`. */
export function encodeGeneration(
  request: ChatRequest,
  controls: Controls,
  fields: Fields,
  provider: string,
): Generation {
  fields.take('temperature');
  fields.take('top_p');
  const topK = fields.take('top_k');
  const seed = fields.take('seed');
  return {
    ...(controls.maxTokens === null ? {} : { maxOutputTokens: controls.maxTokens }),
    ...(controls.temperature === null ? {} : { temperature: controls.temperature }),
    ...(controls.topP === null ? {} : { topP: controls.topP }),
    ...(typeof topK === 'number' ? { topK } : {}),
    ...(typeof seed === 'number' ? { seed: encodeSeed(seed, fields) } : {}),
    ...penalty('presence_penalty', 'presencePenalty', fields),
    ...penalty('frequency_penalty', 'frequencyPenalty', fields),
    ...stopSequences(controls.stop, fields),
    ...candidates(request.choices, fields, provider),
    ...modalities(fields),
  };
}

function encodeSeed(seed: number, fields: Fields): number {
  if (isSmall(seed)) return seed;
  const folded = Number(BigInt.asIntN(32, BigInt(Math.trunc(seed))));
  fields.warn('seed', `${seed} is more than 32 bits, sent as ${folded}`);
  return folded;
}

/** From -2 to less than 2. */
function penalty(name: string, own: 'presencePenalty' | 'frequencyPenalty', fields: Fields): Generation {
  const value = fields.take(name);
  if (typeof value !== 'number') return {};
  if (value < 2) return { [own]: value };
  fields.warn(name, `${value} lowered to 1.99, the provider takes less than 2`);
  return { [own]: 1.99 };
}

function stopSequences(stop: readonly string[], fields: Fields): Generation {
  fields.take('stop');
  const usable = stop.filter((sequence) => sequence !== '');
  if (usable.length < stop.length) fields.warn('stop', 'empty sequences dropped');
  if (usable.length > MOST_STOPS) {
    fields.warn('stop', `${usable.length} sequences given, the provider takes ${MOST_STOPS}; the last dropped`);
  }
  return usable.length > 0 ? { stopSequences: usable.slice(0, MOST_STOPS) } : {};
}

function candidates(choices: number, fields: Fields, provider: string): Generation {
  fields.take('n');
  if (choices <= 1) return {};
  if (choices <= MOST_CANDIDATES) return { candidateCount: choices };
  throw new GatewayError(
    'invalid_request_error',
    `The provider ${provider} gives at most ${MOST_CANDIDATES} choices a request; n is ${choices}.`,
    { param: 'n', code: 'unsupported_parameter', failure: 'bad_request' },
  );
}

/** Text needs no mention. Speech has no place in our answers. */
function modalities(fields: Fields): Generation {
  const wanted = fields.take('modalities');
  if (!Array.isArray(wanted)) return {};
  for (const name of wanted) {
    if (name !== 'text' && name !== 'image') fields.warn('modalities', `${String(name)} is not offered, dropped`);
  }
  if (!wanted.includes('image')) return {};
  return { responseModalities: wanted.includes('text') ? ['TEXT', 'IMAGE'] : ['IMAGE'] };
}
