import type { z } from 'zod';
import type { RoutingOptions } from '../routing/index.ts';
import { type openRouterRouting, priceLimits } from './gateway-options.ts';
import { present } from './present.ts';

type Routing = z.output<typeof openRouterRouting>;

const SORTS = { price: 'cost', throughput: 'tps', latency: 'ttft' } as const;

/** The request's fields of which the catalog knows whether a model takes them, and their names there (WIRE 2.6). */
const PARAMETERS: ReadonlyMap<string, string> = new Map([
  ...[
    'temperature',
    'top_p',
    'top_k',
    'stop',
    'max_tokens',
    'frequency_penalty',
    'presence_penalty',
    'seed',
    'logit_bias',
  ]
    .concat('logprobs', 'top_logprobs', 'tools', 'tool_choice', 'response_format', 'reasoning')
    .map((name) => [name, name] as const),
  ['max_completion_tokens', 'max_tokens'],
  ['reasoning_effort', 'reasoning'],
  ['functions', 'tools'],
  ['function_call', 'tool_choice'],
]);

const WITHOUT_EFFECT = ['enforce_distillable_text', 'preferred_min_throughput', 'preferred_max_latency'];

/** OpenRouter's `provider` in our terms (WIRE 2.3). */
export function openRouterOptions(routing: Routing, body: object): RoutingOptions {
  const { order, sort, max_price: most, quantizations } = routing;
  const only = routing.only?.length ? routing.only : undefined;
  const closed = routing.allow_fallbacks === false;
  const ignored = WITHOUT_EFFECT.filter((name) => (routing[name] ?? null) !== null);
  if (closed && !order) ignored.push('allow_fallbacks');
  return present({
    order: order ?? undefined,
    // Without fallbacks the order is all there is.
    only: closed && order ? within(order, only) : only,
    ignore: routing.ignore ?? undefined,
    sort: sort ? SORTS[typeof sort === 'string' ? sort : sort.by] : undefined,
    maxPrice: most ? priceLimits(most.prompt, most.completion) : undefined,
    quantizations: quantizations?.length ? quantizations : undefined,
    requireParameters: routing.require_parameters ? parametersOf(body) : undefined,
    zeroDataRetention: routing.zdr === true ? true : undefined,
    disallowPromptTraining: routing.data_collection === 'deny' ? true : undefined,
    ignored: ignored.length === 0 ? undefined : ignored.map((name) => `provider.${name}`),
  });
}

const within = (order: readonly string[], only: readonly string[] | undefined): string[] =>
  order.filter((name) => !only || only.includes(name));

function parametersOf(body: object): string[] {
  const given = Object.entries(body).filter(([, value]) => (value ?? null) !== null);
  return [...new Set(given.flatMap(([name]) => PARAMETERS.get(name) ?? []))];
}
