import type { ModelEntry } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import type { PlannedAttempt, RemovedEndpoint } from './plan.ts';
import type { RoutingOptions } from './request.ts';

/** More of them would make no message clearer. */
const SHOWN = 8;

/** For people: how many endpoints were considered, what was ruled out, and the order with the reason of each. */
export function reasoningOf(
  attempts: readonly PlannedAttempt[],
  removed: readonly RemovedEndpoint[],
  options: RoutingOptions,
): string {
  const eligible = new Set(attempts.filter(isSystem).map(({ model, endpoint }) => `${model.id} ${endpoint.key}`)).size;
  const out = removed.length === 0 ? '' : `; ruled out: ${removedText(removed, options)}`;
  const order = attempts.map(({ endpoint, reason }) => `${endpoint.key} (${reason})`).join(' -> ');
  return `${eligible} of ${eligible + removed.length} endpoints eligible${out}; execution order: ${order}`;
}

const isSystem = ({ credentialType }: PlannedAttempt): boolean => credentialType === 'system';

/**
 * The refusal when nothing is left (400): `no_eligible_provider` names what ruled out whom and who serves the model; where
 * the request's content alone rules out every endpoint, `unsupported_content`.
 */
export function nothingEligible(
  models: readonly ModelEntry[],
  removed: readonly RemovedEndpoint[],
  options: RoutingOptions,
): GatewayError {
  const what = removedText(removed, options);
  if (removed.every(({ by }) => by === 'capability')) {
    const ids = models.map(({ id }) => id).join(', ');
    return new GatewayError('invalid_request_error', `The request has content that ${ids} cannot take (${what}).`, {
      param: removed.every(({ detail }) => detail.endsWith('tools')) ? 'tools' : 'messages',
      code: 'unsupported_content',
    });
  }
  const available = [...new Set(models.flatMap(({ endpoints }) => endpoints.map(({ provider }) => provider.name)))];
  return new GatewayError(
    'invalid_request_error',
    `No provider is eligible for this request (ruled out: ${what}). Providers that serve the model: ${available.join(', ')}.`,
    { param: 'providerOptions.gateway', code: 'no_eligible_provider' },
  );
}

/** `only [x] rules out a:m, b:m; maxPrice [input 3] rules out c:m (input price 5 above 3 USD per million tokens)`. */
function removedText(removed: readonly RemovedEndpoint[], options: RoutingOptions): string {
  return [...Map.groupBy(removed, ({ by }) => by)]
    .map(([by, endpoints]) => {
      const shown = endpoints.slice(0, SHOWN).map(({ endpointKey, detail }) => `${endpointKey} (${detail})`);
      if (endpoints.length > SHOWN) shown.push(`${endpoints.length - SHOWN} more`);
      return `${by}${wish(options, by)} rules out ${shown.join(', ')}`;
    })
    .join('; ');
}

/** What the option says, where a message gains by it. Never a credential: no option that has one rules anything out. */
function wish(options: RoutingOptions, by: string): string {
  const values = {
    only: options.only,
    ignore: options.ignore,
    has: options.has,
    quantizations: options.quantizations,
    requireParameters: options.requireParameters,
  };
  const value = Object.hasOwn(values, by) ? values[by as keyof typeof values] : undefined;
  return value === undefined ? '' : ` [${value.slice(0, SHOWN).join(', ')}]`;
}
