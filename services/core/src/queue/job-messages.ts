import { create, type JsonObject } from '@bufbuild/protobuf';
import {
  type EmbeddingJob,
  type EmbeddingOutcome,
  EmbeddingOutcomeSchema,
  type EmbeddingRequest,
  type EmbeddingItem as ItemMessage,
} from '@headgate/proto/embedding_job';
import type { ModelEntry } from '../catalog/index.ts';
import type { EmbeddingItem } from '../dialects/index.ts';
import type { AttemptFacts, ChunkCall, ChunkHead, ChunkOutcome, EmbeddingRequestHead } from '../embeddings/index.ts';
import { ERROR_STATUS, type ErrorType, type FailureClass, GatewayError } from '../errors/index.ts';
import type { Plan, PlannedAttempt } from '../routing/index.ts';
import type { ChunkDraft } from './chunk-queue.ts';

/** A chunk as it is queued. Only endpoints with the gateway's own credentials may stand in its plan. */
export function draftOf({ items, from, request, plan, generationId, observation }: ChunkCall): ChunkDraft {
  const [first] = plan.attempts;
  if (first === undefined) throw new Error('a plan is never empty');
  return {
    provider: first.endpoint.provider.name,
    job: {
      from,
      items: items.map(itemMessage),
      request: requestMessage(request),
      model: first.model.id,
      plan: plan.attempts.map(({ endpoint, reason, firstTokenBinds }) => ({
        key: endpoint.key,
        reason,
        firstTokenBinds,
        firstTokenMs: endpoint.timeouts.firstTokenMs,
      })),
      generationId,
      traceparent: observation.traceparent,
      tracestate: observation.tracestate,
    },
  };
}

const itemMessage = (item: EmbeddingItem) =>
  typeof item === 'string'
    ? { item: { case: 'text' as const, value: item } }
    : { item: { case: 'tokens' as const, value: { ids: [...item] } } };

function requestMessage({ dimensions, extra, providerOptions, ...rest }: EmbeddingRequestHead) {
  return {
    ...rest,
    ...(dimensions === null ? {} : { dimensions }),
    // Both came as JSON with the request.
    extra: extra as JsonObject,
    providerOptions: providerOptions as JsonObject,
  };
}

export const itemsOf = ({ items }: EmbeddingJob): readonly EmbeddingItem[] => items.map(itemOf);

function itemOf({ item }: ItemMessage): EmbeddingItem {
  return item.case === 'tokens' ? item.value.ids : (item.value ?? '');
}

export function requestOf({ request, model }: EmbeddingJob): EmbeddingRequestHead {
  const { format, user = '', extra = {}, providerOptions = {} }: Partial<EmbeddingRequest> = request ?? {};
  return {
    model: request?.model ?? model,
    dimensions: request?.dimensions ?? null,
    format: format === 'base64' ? 'base64' : 'float',
    user,
    extra,
    providerOptions: providerOptions as EmbeddingRequestHead['providerOptions'],
  };
}

/** The plan with the endpoints that this snapshot still has; null: none of them. */
export function planOf({ plan }: EmbeddingJob, model: ModelEntry): Plan | null {
  const attempts = plan.flatMap(({ key, reason, firstTokenMs, firstTokenBinds }): PlannedAttempt[] => {
    const known = model.endpoints.find((endpoint) => endpoint.key === key);
    if (known === undefined) return [];
    const endpoint = firstTokenMs === 0 ? known : { ...known, timeouts: { ...known.timeouts, firstTokenMs } };
    return [{ model, endpoint, credentialType: 'system', firstTokenBinds, reason }];
  });
  if (attempts.length === 0) return null;
  return {
    attempts,
    keys: attempts.map(({ endpoint }) => endpoint.key),
    removed: [],
    sort: null,
    affinity: null,
    permits: [],
    wanted: [],
    warnings: [],
    reasoning: '',
  };
}

/** How a chunk ended, without the bytes of its part of the answer. */
export function outcomeMessage({ error, head }: Pick<ChunkOutcome, 'error' | 'head'>): EmbeddingOutcome {
  const { costUsd, marketCostUsd, attempts, warnings, ...rest } = head;
  return create(EmbeddingOutcomeSchema, {
    ...rest,
    costUsd: costUsd ?? '',
    marketCostUsd: marketCostUsd ?? '',
    attempts: attempts.map((attempt) => ({ ...attempt })),
    warnings: [...warnings],
    ...(error === null ? {} : { failure: failureMessage(error) }),
  });
}

function failureMessage({ type, message, status, param, code, failure, retryAfterMs, shouldRetry }: GatewayError) {
  return {
    type,
    message,
    status,
    failureClass: failure ?? '',
    ...(param === null ? {} : { param: paramMessage(param) }),
    ...(code === null ? {} : { code }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(shouldRetry === undefined ? {} : { shouldRetry }),
  };
}

const paramMessage = (param: string | Record<string, unknown>) =>
  typeof param === 'string'
    ? { kind: { case: 'stringValue' as const, value: param } }
    : { kind: { case: 'structValue' as const, value: param as JsonObject } };

export function outcomeOf(message: EmbeddingOutcome, data: Buffer): ChunkOutcome {
  const { items, promptTokens, provider, providerModel, warnings, costUsd, marketCostUsd } = message;
  const head: ChunkHead = {
    items,
    promptTokens,
    usageSource: message.usageSource === 'provider' ? 'provider' : 'estimated',
    costUsd: costUsd === '' ? null : costUsd,
    marketCostUsd: marketCostUsd === '' ? null : marketCostUsd,
    provider,
    providerModel,
    attempts: message.attempts as unknown as AttemptFacts[],
    warnings,
  };
  const error = errorOf(message);
  return { data: error === null ? data : null, error, head };
}

function errorOf({ failure }: EmbeddingOutcome): GatewayError | null {
  if (failure === undefined) return null;
  const { type, message, status, code, failureClass, retryAfterMs, shouldRetry } = failure;
  const param = failure.param?.kind;
  return new GatewayError(isErrorType(type) ? type : 'upstream_error', message, {
    status,
    ...(param?.case === 'stringValue' || param?.case === 'structValue' ? { param: param.value } : {}),
    ...(code === undefined ? {} : { code }),
    ...(failureClass === '' ? {} : { failure: failureClass as FailureClass }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(shouldRetry === undefined ? {} : { shouldRetry }),
  });
}

const isErrorType = (type: string): type is ErrorType => Object.hasOwn(ERROR_STATUS, type);
