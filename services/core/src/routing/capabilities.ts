import type { ModelEntry } from '../catalog/index.ts';
import { type Candidate, keep } from './candidate.ts';
import type { RemovedEndpoint } from './plan.ts';
import type { RequestFeatures } from './request.ts';

type Fact = 'images' | 'audio' | 'tools' | 'files' | 'jsonSchema';

/** What a catalog entry says against a feature; null also where it says nothing: an empty list is "unknown". */
const OBJECTIONS: Readonly<Record<Fact, (model: ModelEntry) => string | null>> = {
  images: (model) => withoutModality(model, 'image', 'images'),
  audio: (model) => withoutModality(model, 'audio', 'audio'),
  files: (model) => withoutModality(model, 'file', 'files'),
  tools: ({ supportedParameters: known }) =>
    known.length > 0 && !known.includes('tools') ? 'does not take tools' : null,
  jsonSchema: ({ supportedParameters: known }) =>
    known.length > 0 && !known.includes('response_format') ? 'does not take response_format' : null,
};

/** A request with one of these can only fail there: a model that is known not to take it is out. */
const STRICT: readonly Fact[] = ['images', 'audio', 'tools'];
/** These are ways to say what can be said otherwise, too (files as text, a schema as a tool): out only while another fits. */
const LENIENT: readonly Fact[] = ['files', 'jsonSchema'];

/** Those that can serve such a request, as far as is known; lenient rules never take the last one. */
export function withoutIncapable(
  candidates: readonly Candidate[],
  features: RequestFeatures,
  removed: RemovedEndpoint[],
): readonly Candidate[] {
  let left = candidates;
  for (const fact of STRICT) {
    if (features[fact]) left = keep(left, 'capability', ({ model }) => OBJECTIONS[fact](model), removed);
  }
  for (const fact of LENIENT) {
    if (features[fact]) left = keepAny(left, ({ model }) => OBJECTIONS[fact](model), removed);
  }
  return keepAny(left, (candidate) => tooShort(candidate, tokensOf(features)), removed);
}

/** True when the rules above have nothing to do in this model alone, all of whose endpoints the lenient facts concern alike. */
export function takesAll(model: ModelEntry, features: RequestFeatures): boolean {
  for (const fact of STRICT) if (features[fact] && OBJECTIONS[fact](model) !== null) return false;
  const tokens = tokensOf(features);
  for (const { contextWindow } of model.endpoints) if (contextWindow > 0 && tokens > contextWindow) return false;
  return true;
}

/** What has to fit into the context window. */
const tokensOf = ({ promptTokens, maxOutputTokens }: RequestFeatures): number => promptTokens + (maxOutputTokens ?? 0);

function tooShort({ endpoint }: Candidate, tokens: number): string | null {
  const { contextWindow } = endpoint;
  if (contextWindow === 0 || tokens <= contextWindow) return null;
  return `context window of ${contextWindow} tokens, about ${tokens} asked for`;
}

function withoutModality({ inputModalities }: ModelEntry, modality: string, what: string): string | null {
  return inputModalities.length > 0 && !inputModalities.includes(modality) ? `does not take ${what}` : null;
}

/** As `keep`, unless that would leave nothing. */
function keepAny(
  candidates: readonly Candidate[],
  objection: (candidate: Candidate) => string | null,
  removed: RemovedEndpoint[],
): readonly Candidate[] {
  const out: RemovedEndpoint[] = [];
  const left = keep(candidates, 'capability', objection, out);
  if (left.length === 0) return candidates;
  removed.push(...out);
  return left;
}
