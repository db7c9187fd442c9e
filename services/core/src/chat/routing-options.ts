import type { RoutingOptions } from '../routing/index.ts';
import { byok, byokCredentials } from './byok.ts';
import { gatewayOptions, priceLimits } from './gateway-options.ts';
import { openRouterOptions } from './open-router.ts';
import { present } from './present.ts';
import { type ChatRequest, fullMember } from './request.ts';
import type { ChatBody } from './schema.ts';
import { validationError } from './validation-error.ts';

type Given = NonNullable<NonNullable<ChatBody['providerOptions']>['gateway']>;

/** One object for all requests without options, which are most. */
const NONE: RoutingOptions = Object.freeze({});

/** Options of WIRE 2.3 that this release does not act on: saying so is better than seeming to. */
const WITHOUT_EFFECT = ['quotaEntityId', 'speed'] as const;
/** Of options that nobody knows, so many are named, and by so many characters. */
const MOST_UNKNOWN = 10;
const LONGEST_UNKNOWN = 64;

/**
 * What of a request decides its routing: `providerOptions.gateway`, and where that is silent, OpenRouter's `provider`.
 * Without any, always the same empty object. Throws a GatewayError (400) when a long string is not valid JSON.
 */
export const readRoutingOptions = (request: ChatRequest): RoutingOptions =>
  routingOptionsOf(request.outline, (given) => (request.shortened ? wholeByok(request) : given));

type Byok = NonNullable<Given['byok']>;

/** The same of any validated body. `whole` gives the credentials as they were sent, where the body has only a part of them. */
export function routingOptionsOf(
  body: Pick<ChatBody, 'providerOptions' | 'provider'>,
  whole: (given: Byok) => Byok = (given) => given,
): RoutingOptions {
  const { providerOptions, provider } = body;
  const given = providerOptions?.gateway;
  if (!given && !provider) return NONE;
  const router = provider ? openRouterOptions(provider, body) : NONE;
  const own = given ? ownOptions(given, whole) : NONE;
  const ignored = [...(own.ignored ?? []), ...(router.ignored ?? [])];
  const options = { ...router, ...own, ...(ignored.length > 0 ? { ignored } : {}) };
  return Object.keys(options).length === 0 ? NONE : options;
}

function ownOptions(given: Given, whole: (given: Byok) => Byok): RoutingOptions {
  const { order, only, ignore, sort, has, maxPrice, zeroDataRetention, disallowPromptTraining, affinity } = given;
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(gatewayOptions.shape, name));
  const ignored = [
    ...WITHOUT_EFFECT.filter((name) => given[name] !== undefined),
    ...unknown.slice(0, MOST_UNKNOWN).map((name) => name.slice(0, LONGEST_UNKNOWN)),
  ];
  const timeouts = given.providerTimeouts?.byok;
  return present({
    order,
    only,
    ignore,
    sort,
    has,
    maxPrice: maxPrice && priceLimits(maxPrice.input, maxPrice.output),
    zeroDataRetention,
    disallowPromptTraining,
    byok: given.byok && byokCredentials(whole(given.byok)),
    providerTimeouts: timeouts && { byok: timeouts },
    affinity,
    ignored: ignored.length === 0 ? undefined : ignored.map((name) => `providerOptions.gateway.${name}`),
  });
}

/** The outline lacks the middle of long strings, and a private key is one. */
function wholeByok(request: ChatRequest): Byok {
  const options = fullMember(request, 'providerOptions') as { gateway: { byok: unknown } };
  const result = byok.safeParse(options.gateway.byok);
  if (result.success) return result.data;
  const place = ['providerOptions', 'gateway', 'byok'];
  const issues = result.error.issues.map((issue) => ({ ...issue, path: [...place, ...issue.path] }));
  throw validationError(issues, { providerOptions: options });
}
