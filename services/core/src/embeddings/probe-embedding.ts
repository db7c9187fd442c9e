import { findEmbeddingDialect } from '../dialects/index.ts';
import { type GatewayError, toGatewayError } from '../errors/index.ts';
import { noFirstToken, type ProbeRequest, type ProbeResult, targetOf, tellsOfEndpoint } from '../relay/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { callOf, encodeCall } from './encode-call.ts';
import { type ProviderAnswer, providerCall } from './provider-call.ts';

const ITEMS = ['Hi'];

/** As `probeEndpoint`, of an embedding model: asks for one small vector. Rejects with the signal's reason. */
export async function probeEmbedding(request: ProbeRequest): Promise<ProbeResult> {
  const { model, endpoint, timeoutMs, pools, authorizers, signal } = request;
  const provider = endpoint.provider.name;
  const planned: PlannedAttempt = {
    model,
    endpoint,
    credentialType: 'system',
    firstTokenBinds: false,
    reason: 'active probe',
  };
  const head = {
    model: model.id,
    dimensions: null,
    format: 'float',
    user: '',
    extra: {},
    providerOptions: {},
  } as const;
  const dialect = findEmbeddingDialect(endpoint.provider.dialect);
  if (dialect === undefined) return { failure: undefined, retryAfterMs: undefined, status: null, error: null };
  let sent = false;
  let answer: ProviderAnswer | null = null;
  try {
    const call = callOf(head, ITEMS, planned);
    const { url, headers, body } = await encodeCall(dialect, planned, call, authorizers);
    signal.throwIfAborted();
    sent = true;
    const limits = { provider, signal, timeoutMs, timedOut: () => noFirstToken(provider, timeoutMs) };
    answer = await providerCall(pools, { url, headers, body, connectMs: endpoint.timeouts.connectMs }, limits);
    if (answer.status >= 300) throw dialect.decodeError({ ...answer, provider, now: Date.now() });
    dialect.decodeEmbeddings(answer.body, call, targetOf(planned));
    return { failure: null, retryAfterMs: undefined, status: answer.status, error: null };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = toGatewayError(thrown).cutOut(Object.values(endpoint.provider.credentials));
    return resultOf(error, sent, answer?.status ?? null);
  }
}

function resultOf(error: GatewayError, sent: boolean, status: number | null): ProbeResult {
  const failure = tellsOfEndpoint(error, sent);
  if (failure === null) return { failure, retryAfterMs: undefined, status, error: null };
  return { failure, retryAfterMs: error.retryAfterMs, status, error: error.message };
}
