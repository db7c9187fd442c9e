import type { GatewayError } from '../errors/index.ts';
import type { Plan, PlannedAttempt } from '../routing/index.ts';

/** One attempt as `provider_metadata.gateway.routing.attempts` shows it (WIRE 2.5). Times are epoch milliseconds. */
export interface AttemptRecord {
  readonly planned: PlannedAttempt;
  readonly startTime: number;
  endTime: number;
  statusCode: number | null;
  error: GatewayError | null;
  /** Set when a limit of ours ended the attempt. */
  timeoutMs: number | null;
}

export interface MetadataInput {
  readonly generationId: string;
  /** Public id that the client asked for. */
  readonly requestedModel: string;
  readonly plan: Plan;
  /** Never empty; the last one answered. */
  readonly attempts: readonly AttemptRecord[];
  readonly costUsd: string | null;
  readonly warnings: readonly string[];
  readonly hasUsage: boolean;
  /** The simulator answers because no provider is configured. */
  readonly simulated: boolean;
}

/** The `provider_metadata` object as JSON text. */
export function metadataJson(input: MetadataInput): string {
  const last = input.attempts[input.attempts.length - 1];
  const answered = last?.planned ?? input.plan.attempts[0];
  const provider = answered?.endpoint.provider.name ?? '';
  const attempts = input.attempts.map(attemptJson);
  const modelAttempts = groupByModel(input.attempts, attempts);
  return JSON.stringify({
    gateway: {
      routing: {
        originalModelId: input.requestedModel,
        canonicalSlug: answered?.model.id,
        resolvedProvider: provider,
        resolvedProviderApiModelId: answered?.endpoint.model,
        internalResolvedModelId: answered?.endpoint.key,
        fallbacksAvailable: fallbacks(input.plan, provider),
        planningReasoning: input.plan.reasoning,
        finalProvider: provider,
        attempts,
        modelAttemptCount: modelAttempts.length,
        modelAttempts,
        totalProviderAttemptCount: attempts.length,
      },
      ...(input.costUsd === null ? {} : { cost: input.costUsd, marketCost: input.costUsd }),
      generationId: input.generationId,
      ...(input.hasUsage ? { usageSource: 'provider' } : {}),
      ...(input.warnings.length > 0 ? { warnings: input.warnings } : {}),
      ...(input.simulated ? { simulated: true } : {}),
    },
  });
}

function fallbacks(plan: Plan, provider: string): string[] {
  const names = plan.attempts.map(({ endpoint }) => endpoint.provider.name);
  return [...new Set(names)].filter((name) => name !== provider);
}

function attemptJson(record: AttemptRecord) {
  const { endpoint } = record.planned;
  return {
    provider: endpoint.provider.name,
    internalModelId: endpoint.key,
    providerApiModelId: endpoint.model,
    credentialType: 'system',
    success: record.error === null,
    ...(record.error === null ? {} : { error: record.timeoutMs === null ? record.error.message : 'PROVIDER_TIMEOUT' }),
    ...(record.statusCode === null ? {} : { statusCode: record.statusCode }),
    startTime: record.startTime,
    endTime: record.endTime,
    ...(record.timeoutMs === null ? {} : { providerTimeout: true, configuredTimeoutMs: record.timeoutMs }),
  };
}

type AttemptJson = ReturnType<typeof attemptJson>;

/** `attempts` are the records as JSON, in the same order. */
function groupByModel(records: readonly AttemptRecord[], attempts: readonly AttemptJson[]) {
  const groups = new Map<string, AttemptJson[]>();
  records.forEach(({ planned }, i) => {
    const attempt = attempts[i];
    if (!attempt) return;
    const group = groups.get(planned.model.id);
    if (group) group.push(attempt);
    else groups.set(planned.model.id, [attempt]);
  });
  return [...groups].map(([modelId, providerAttempts]) => ({
    modelId,
    canonicalSlug: modelId,
    success: providerAttempts.some(({ success }) => success),
    providerAttemptCount: providerAttempts.length,
    providerAttempts,
  }));
}
