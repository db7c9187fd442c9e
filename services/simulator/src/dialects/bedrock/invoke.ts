import type { OutgoingHttpHeaders } from 'node:http';
import type { Directives } from '../../faults/directives.ts';
import type { Steered } from '../../faults/steering.ts';
import type { LazyLists } from '../../http/jsonPieces.ts';
import { steeredEmbed } from '../cohere/index.ts';
import { embedWithCohere } from './cohereEmbed.ts';
import { validation } from './errors.ts';
import { isObject } from './shape.ts';
import { embedWithTitan } from './titanEmbed.ts';

/** What an embedding model answers to InvokeModel. */
export interface EmbedAnswer {
  readonly value: object;
  /** Entries of lists that are empty in `value`. */
  readonly lists: LazyLists;
  readonly tokens: number;
}

/** What of an InvokeModel body may hold directives. */
export function steeredInvoke(body: unknown, model: string): Steered {
  if (isObject(body) && typeof body.inputText === 'string') return { model, texts: [body.inputText], items: 1 };
  return { ...steeredEmbed(body), model };
}

/** Embeddings only: the simulator's chat models speak Converse. */
export function invokeModel(json: unknown, model: string, directives: Directives): EmbedAnswer {
  if (model.includes('titan-embed-text')) return embedWithTitan(json, model, directives);
  if (model.includes('cohere.embed')) return embedWithCohere(json, model, directives);
  throw validation('The simulator invokes embedding models only: amazon.titan-embed-text-... and cohere.embed-...');
}

export function invocationHeaders(tokens: number, latencyMs: number): OutgoingHttpHeaders {
  return {
    'x-amzn-bedrock-input-token-count': String(tokens),
    'x-amzn-bedrock-invocation-latency': String(latencyMs),
  };
}
