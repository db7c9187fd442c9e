import { GatewayError } from '../errors/index.ts';
import { type Candidate, keep } from './candidate.ts';
import type { RemovedEndpoint } from './plan.ts';
import { perMillion } from './prices.ts';
import type { RoutingOptions } from './request.ts';

/** Tags of the built-in catalog (WIRE 2.6); an operator may give a model further ones. */
const KNOWN_TAGS = [
  'vision',
  'implicit-caching',
  'explicit-caching',
  'reasoning',
  'tool-use',
  'file-input',
  'web-search',
  'fast',
];
const QUANTIZATION = /^(!?)quantization:(.+)$/;

/**
 * What the caller's explicit filters leave (WIRE 2.3). Each is a demand: an endpoint of which the wanted fact is unknown
 * does not meet it. Throws a GatewayError (400) for a value of `has` that means nothing.
 */
export function applyFilters(
  all: readonly Candidate[],
  options: RoutingOptions,
  removed: RemovedEndpoint[],
): readonly Candidate[] {
  const { only, ignore, has, maxPrice, quantizations, requireParameters } = options;
  let left = all;
  const filter = (by: string, objection: (candidate: Candidate) => string | null): void => {
    left = keep(left, by, objection, removed);
  };
  if (only) filter('only', ({ endpoint }) => (only.includes(endpoint.provider.name) ? null : 'not in the list'));
  if (ignore) filter('ignore', ({ endpoint }) => (ignore.includes(endpoint.provider.name) ? 'in the list' : null));
  if (options.zeroDataRetention) {
    filter('zeroDataRetention', ({ endpoint }) => (endpoint.provider.zeroDataRetention ? null : 'not labelled so'));
  }
  if (options.disallowPromptTraining) {
    filter('disallowPromptTraining', ({ endpoint }) => (endpoint.provider.noPromptTraining ? null : 'not labelled so'));
  }
  has?.forEach((value, i) => {
    refuseUnknown(value, i, all);
    filter('has', (candidate) => lacking(candidate, value));
  });
  if (maxPrice) filter('maxPrice', (candidate) => tooDear(candidate, maxPrice));
  if (quantizations) {
    filter('quantizations', ({ endpoint }) =>
      quantizations.includes(endpoint.quantization) ? null : quantizationOf(endpoint.quantization),
    );
  }
  if (requireParameters)
    filter('requireParameters', ({ model }) => notTaken(model.supportedParameters, requireParameters));
  return left;
}

function refuseUnknown(value: string, i: number, all: readonly Candidate[]): void {
  if (KNOWN_TAGS.includes(value) || QUANTIZATION.test(value) || all.some(({ model }) => model.tags.includes(value)))
    return;
  const param = `providerOptions.gateway.has.${i}`;
  const expected = [...KNOWN_TAGS, 'quantization:<name>', '!quantization:<name>'].join(', ');
  throw new GatewayError(
    'invalid_request_error',
    `Invalid request: invalid value for '${param}': expected one of ${expected}, or a tag of the model, got ${JSON.stringify(value.slice(0, 40))}`,
    { param, code: 'invalid_value' },
  );
}

function lacking({ model, endpoint }: Candidate, value: string): string | null {
  const [, not, quantization] = QUANTIZATION.exec(value) ?? [];
  if (quantization !== undefined) {
    const is = endpoint.quantization === quantization;
    return is === (not === '') ? null : quantizationOf(endpoint.quantization);
  }
  if (model.tags.includes(value)) return null;
  if (value === 'vision' && model.inputModalities.includes('image')) return null;
  return `lacks ${value}`;
}

const quantizationOf = (name: string): string => (name === '' ? 'quantization unknown' : `quantization ${name}`);

function tooDear({ endpoint }: Candidate, most: NonNullable<RoutingOptions['maxPrice']>): string | null {
  for (const side of ['input', 'output'] as const) {
    const limit = most[side];
    if (limit === undefined) continue;
    const price = perMillion(endpoint.pricing?.[side]);
    if (price === null) return `${side} price unknown`;
    if (price > limit) return `${side} price ${price} above ${limit} USD per million tokens`;
  }
  return null;
}

function notTaken(supported: readonly string[], required: readonly string[]): string | null {
  const missing = required.filter((name) => !supported.includes(name));
  return missing.length === 0 ? null : `not known to take ${missing.join(', ')}`;
}
