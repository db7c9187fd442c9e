import { z } from 'zod';
import { byok } from './byok.ts';
import { dictionary, list } from './checked-list.ts';
import { present } from './present.ts';

const text = z.string();
export const names = list(text.min(1));

/** Price per million tokens, US dollars: a number, or its digits. */
const price = z.union([
  z.number().min(0),
  text.regex(/^\d{1,9}(\.\d{1,12})?$/, { error: 'expected US dollars per million tokens, such as 2.50' }),
]);

const tags = list(text.min(1).max(64))
  .transform((given) => [...new Set(given)])
  .refine((distinct) => distinct.length <= 10, { error: 'expected at most 10 distinct tags' });

/** `providerOptions.gateway` (WIRE 2.3); unknown keys are allowed, but not inside of what is known: a limit that nobody reads is none. */
export const gatewayOptions = z.looseObject({
  order: names.optional(),
  only: names.optional(),
  ignore: names.optional(),
  models: names.optional(),
  sort: z.enum(['cost', 'ttft', 'tps']).optional(),
  has: list(text.min(1).max(64)).optional(),
  maxPrice: z.strictObject({ input: price.optional(), output: price.optional() }).optional(),
  byok: byok.optional(),
  providerTimeouts: z.strictObject({ byok: dictionary(z.int().min(1_000).max(789_000)).optional() }).optional(),
  caching: z.literal('auto').optional(),
  serviceTier: z.enum(['flex', 'priority']).optional(),
  speed: text.optional(),
  user: text.max(256).optional(),
  tags: tags.optional(),
  quotaEntityId: text.min(1).max(256).optional(),
  safetyIdentifier: text.max(64).optional(),
  zeroDataRetention: z.boolean().optional(),
  disallowPromptTraining: z.boolean().optional(),
  strict: z.boolean().optional(),
  affinity: z.union([z.enum(['auto', 'off']), z.strictObject({ key: text.min(1).max(256) })]).optional(),
  resume: z.enum(['off', 'safe', 'always']).optional(),
});

const routerSort = z.enum(['price', 'throughput', 'latency']);

/** OpenRouter's `provider` (https://openrouter.ai/docs/features/provider-routing): read where `providerOptions.gateway` is silent. */
export const openRouterRouting = z.looseObject({
  order: names.nullish(),
  only: names.nullish(),
  ignore: names.nullish(),
  allow_fallbacks: z.boolean().nullish(),
  require_parameters: z.boolean().nullish(),
  data_collection: z.enum(['allow', 'deny']).nullish(),
  zdr: z.boolean().nullish(),
  quantizations: names.nullish(),
  sort: z.union([routerSort, z.looseObject({ by: routerSort })]).nullish(),
  max_price: z.looseObject({ prompt: price.nullish(), completion: price.nullish() }).nullish(),
});

type Price = number | string | null | undefined;

/** Limits in US dollars per million tokens; undefined when there is none. */
export function priceLimits(input: Price, output: Price): { input?: number; output?: number } | undefined {
  const limits = present({ input: dollars(input), output: dollars(output) });
  return Object.keys(limits).length === 0 ? undefined : limits;
}

const dollars = (value: Price): number | undefined =>
  value === null || value === undefined ? undefined : Number(value);
