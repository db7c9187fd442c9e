import type { EmbeddingCall, EmbeddingDialect, EmbeddingItem, EncodedRequest } from '../dialects/index.ts';
import { targetOf } from '../relay/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { Authorizers } from '../upstream/index.ts';
import type { EmbeddingRequestHead } from './contract.ts';

/** What the dialect of a planned attempt is asked for these items. */
export function callOf(
  request: EmbeddingRequestHead,
  items: readonly EmbeddingItem[],
  { endpoint }: PlannedAttempt,
): EmbeddingCall {
  const { dimensions, format, user, extra, providerOptions } = request;
  const { name } = endpoint.provider;
  const options = Object.hasOwn(providerOptions, name) ? (providerOptions[name] ?? {}) : {};
  return { items, dimensions, format, user, extra, options };
}

/** Encoded and authorized. Rejects with a GatewayError. */
export async function encodeCall(
  dialect: EmbeddingDialect,
  planned: PlannedAttempt,
  call: EmbeddingCall,
  authorizers: Authorizers,
): Promise<EncodedRequest> {
  const encoded = dialect.encodeEmbeddings(call, targetOf(planned));
  if (dialect.authorization === 'header') return encoded;
  const { provider } = planned.endpoint;
  const authorizer =
    planned.credentialType === 'byok'
      ? authorizers.forCaller(provider, dialect.authorization)
      : authorizers.for(provider, dialect.authorization);
  return { ...encoded, headers: await authorizer.authorize(encoded) };
}
