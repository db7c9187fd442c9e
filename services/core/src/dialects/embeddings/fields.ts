import { GatewayError } from '../../errors/index.ts';
import type { EncodedRequest, Target } from '../dialect.ts';
import type { EmbeddingCall, EmbeddingItem } from '../embedding-dialect.ts';

export type Body = Record<string, unknown>;

/** A wish that the target cannot fulfil: the caller's to change. */
export function refused(param: string, code: string, message: string): GatewayError {
  return new GatewayError('invalid_request_error', message, { param, code, failure: 'bad_request' });
}

/** The items as texts. Throws for token ids: another tokenizer would read another text out of them (WIRE 2.9). */
export function textsOf(items: readonly EmbeddingItem[], { provider }: Target): string[] {
  return items.map((item) => {
    if (typeof item === 'string') return item;
    throw refused(
      'input',
      'unsupported_content',
      `input: the provider ${provider} takes texts, not token ids; send the text itself.`,
    );
  });
}

/** Throws unless the number is one of those that the model can make; `sizes` empty: it has one size only. */
export function checkDimensions(dimensions: number | null, sizes: readonly number[], { model }: Target): void {
  if (dimensions === null || sizes.includes(dimensions)) return;
  const way = sizes.length === 0 ? 'has vectors of one size only; leave dimensions out' : `makes ${sizes.join(', ')}`;
  throw refused('dimensions', 'unsupported_value', `dimensions: ${dimensions} is not possible, ${model} ${way}.`);
}

/** The client's further fields: each is taken by the dialect, or named in a warning at the end. */
export class Wishes {
  readonly #left: Map<string, unknown>;
  readonly warnings: string[] = [];

  constructor({ extra, user }: EmbeddingCall) {
    const given = Object.entries(user === '' ? extra : { ...extra, user });
    this.#left = new Map(given.filter(([, value]) => value !== null && value !== undefined));
  }

  /** The value under the first of the names that the client used; undefined for none. */
  take(...names: readonly string[]): unknown {
    const name = names.find((candidate) => this.#left.has(candidate));
    if (name === undefined) return undefined;
    const value = this.#left.get(name);
    this.#left.delete(name);
    return value;
  }

  /** Everything that is left, for a provider that speaks the client's language. */
  takeAll(): Body {
    const all = Object.fromEntries(this.#left);
    this.#left.clear();
    return all;
  }

  drop(name: string, why = 'not taken by this provider, dropped'): void {
    this.#left.delete(name);
    this.warnings.push(`${name}: ${why}`);
  }

  /** Names what nobody took. */
  done(): readonly string[] {
    for (const name of [...this.#left.keys()]) this.drop(name);
    return this.warnings;
  }
}

/** Lays `providerOptions.<provider>` over the body; what the gateway must decide itself stays, with a warning. */
export function layOver(
  body: Body,
  options: EmbeddingCall['options'],
  kept: readonly string[],
  { provider }: Target,
  warnings: string[],
): void {
  for (const [name, value] of Object.entries(options)) {
    if (kept.includes(name)) warnings.push(`providerOptions.${provider}.${name}: may not be set here, dropped`);
    else if (value === null) delete body[name];
    else body[name] = value;
  }
}

/** A POST of JSON; `extra` are further headers, flat. */
export function jsonRequest(
  url: string,
  body: object,
  warnings: readonly string[],
  extra: readonly string[] = [],
): EncodedRequest {
  return {
    url,
    headers: [
      ...['content-type', 'application/json', 'accept', 'application/json', 'accept-encoding', 'identity'],
      ...['user-agent', 'headgate'],
      ...extra,
    ],
    body: Buffer.from(JSON.stringify(body)),
    warnings,
  };
}

export function bearer({ credentials: { apiKey } }: Target): readonly string[] {
  return hasKey(apiKey) ? ['authorization', `Bearer ${apiKey}`] : [];
}

export const hasKey = (key: string | undefined): key is string => key !== undefined && key !== '' && key !== 'none';

/** What the vectors are for, as providers call it. */
export type Purpose = 'query' | 'document' | 'classification' | 'clustering';

const PURPOSES: ReadonlyMap<string, Purpose> = new Map<string, Purpose>([
  ['query', 'query'],
  ['search_query', 'query'],
  ['retrieval_query', 'query'],
  ['document', 'document'],
  ['passage', 'document'],
  ['search_document', 'document'],
  ['retrieval_document', 'document'],
  ['classification', 'classification'],
  ['clustering', 'clustering'],
]);

/** The client's `input_type` or `task_type`, in the target's own words; a word of which nothing is known is passed on. */
export function purposeOf(wishes: Wishes, words: Readonly<Partial<Record<Purpose, string>>>): string | undefined {
  const name = ['input_type', 'inputType', 'task_type', 'taskType'];
  const value = wishes.take(...name);
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw refused('input_type', 'invalid_type', 'input_type: must be a text.');
  const purpose = PURPOSES.get(value.toLowerCase());
  if (purpose === undefined) return value;
  if (words[purpose] === undefined) wishes.drop('input_type', `${value} is not known to this provider, dropped`);
  return words[purpose];
}
