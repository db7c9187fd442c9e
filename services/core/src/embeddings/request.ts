import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { gatewayOptions, names, openRouterRouting, routingOptionsOf, validationError } from '../chat/index.ts';
import type { EmbeddingItem } from '../dialects/index.ts';
import { GatewayError } from '../errors/index.ts';
import { MAX_DEPTH, skeleton } from '../json/index.ts';
import type { RoutingOptions } from '../routing/index.ts';
import type { EmbeddingRequestHead } from './contract.ts';
import { readItems } from './items.ts';

/** A validated embeddings request (WIRE 2.9). */
export interface EmbeddingRequest {
  readonly head: EmbeddingRequestHead;
  /** Never empty. */
  readonly items: readonly EmbeddingItem[];
  /** Models to fall back to, for the whole request. */
  readonly fallbacks: readonly string[];
  readonly options: RoutingOptions;
  /** Refuse what a provider would drop or alter. */
  readonly strict: boolean;
  /** The end user whom it is accounted to; '' for none. */
  readonly user: string;
  readonly tags: readonly string[];
  /** The parsed body without its items, for spans. */
  readonly outline: Readonly<Record<string, unknown>>;
}

const schema = z.looseObject({
  model: z.string().min(1).max(256),
  models: names.nullish(),
  dimensions: z.int().min(1).nullish(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  user: z.string().nullish(),
  providerOptions: z.looseObject({ gateway: gatewayOptions.optional() }).nullish(),
  provider: openRouterRouting.nullish(),
});

/** What the gateway reads itself; everything else is the provider's. `__proto__` is nobody's. */
const OWN = new Set([...Object.keys(schema.shape), 'input', '__proto__']);

/** Throws a GatewayError (400) that names the first bad path. With a key that occurs twice, the last one counts, as in JSON.parse. */
export function readEmbeddingRequest(body: Buffer, maxItems: number): EmbeddingRequest {
  const { input, ...rest } = parseObject(body);
  const result = schema.safeParse(rest);
  if (!result.success) throw validationError(result.error.issues, rest);
  const given = result.data;
  const items = readItems(input, maxItems);
  const gateway = given.providerOptions?.gateway;
  return {
    head: {
      model: given.model,
      dimensions: given.dimensions ?? null,
      format: given.encoding_format ?? 'float',
      user: given.user ?? '',
      extra: Object.fromEntries(Object.entries(rest).filter(([name]) => !OWN.has(name))),
      providerOptions: optionsByProvider(given.providerOptions ?? {}),
    },
    items,
    fallbacks: gateway?.models ?? given.models ?? [],
    options: routingOptionsOf({ ...given, providerOptions: given.providerOptions ?? undefined }),
    strict: gateway?.strict === true,
    user: gateway?.user ?? given.user ?? '',
    tags: gateway?.tags ?? [],
    outline: rest,
  };
}

function parseObject(body: Buffer): Record<string, unknown> {
  if (body.length === 0) throw invalid('the body is empty, expected a JSON object.', 'empty_body');
  if (!isUtf8(body)) throw invalid('the body is not valid UTF-8.', 'invalid_json');
  if (body.length > MAX_DEPTH && (skeleton(body)?.depth ?? 0) > MAX_DEPTH) {
    throw invalid(`nested deeper than ${MAX_DEPTH} levels.`, 'nesting_too_deep');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch (thrown) {
    const position = thrown instanceof Error ? /at position (\d+)/.exec(thrown.message)?.[1] : undefined;
    throw invalid(
      `the body is not valid JSON${position === undefined ? '' : ` (at byte ${position})`}.`,
      'invalid_json',
    );
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid('expected a JSON object.', 'invalid_type');
  }
  return parsed as Record<string, unknown>;
}

const invalid = (what: string, code: string): GatewayError =>
  new GatewayError('invalid_request_error', `Invalid request: ${what}`, { code });

function optionsByProvider(given: object): EmbeddingRequestHead['providerOptions'] {
  const entries = Object.entries(given).filter(
    ([name, value]) => name !== 'gateway' && name !== '__proto__' && typeof value === 'object' && value !== null,
  );
  return Object.fromEntries(entries);
}
