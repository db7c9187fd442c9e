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

/**
 * The `provider_metadata` object as JSON text. Most of it is the same for every answer of an endpoint: that is written
 * once, and joined here to what is not.
 */
export function metadataJson(input: MetadataInput): string {
  const { plan, attempts: records, costUsd } = input;
  const answered = records[records.length - 1]?.planned ?? plan.attempts[0];
  const head = answered ? headOf(answered, plan) : '';
  const attempts = records.map(attemptJson);
  const models = byModel(records, attempts);
  const cost = costUsd === null ? '' : `"cost":"${costUsd}","marketCost":"${costUsd}",`;
  const source = input.hasUsage ? ',"usageSource":"provider"' : '';
  const warnings = input.warnings.length > 0 ? `,"warnings":${JSON.stringify(input.warnings)}` : '';
  const simulated = input.simulated ? ',"simulated":true' : '';
  return (
    `{"gateway":{"routing":{"originalModelId":${JSON.stringify(input.requestedModel)},${head}` +
    `"attempts":[${attempts.join(',')}],"modelAttemptCount":${models.length},"modelAttempts":[${models.join(',')}],` +
    `"totalProviderAttemptCount":${attempts.length}},${cost}"generationId":"${input.generationId}"${source}${warnings}${simulated}}}`
  );
}

const heads = new WeakMap<PlannedAttempt, string>();

/** What the endpoint that answered says of itself and of the plan it belongs to. */
function headOf(answered: PlannedAttempt, plan: Plan): string {
  let head = heads.get(answered);
  if (head === undefined) {
    const { endpoint, model } = answered;
    const { name } = endpoint.provider;
    const names = new Set(plan.attempts.map((attempt) => attempt.endpoint.provider.name));
    names.delete(name);
    head = membersOf({
      canonicalSlug: model.id,
      resolvedProvider: name,
      resolvedProviderApiModelId: endpoint.model,
      internalResolvedModelId: endpoint.key,
      fallbacksAvailable: [...names],
      planningReasoning: plan.reasoning,
      finalProvider: name,
    });
    heads.set(answered, head);
  }
  return head;
}

const attemptHeads = new WeakMap<PlannedAttempt, string>();

function attemptJson({ planned, error, statusCode, startTime, endTime, timeoutMs }: AttemptRecord): string {
  let head = attemptHeads.get(planned);
  if (head === undefined) {
    const { provider, key, model } = planned.endpoint;
    head = membersOf({
      provider: provider.name,
      internalModelId: key,
      providerApiModelId: model,
      credentialType: 'system',
    });
    attemptHeads.set(planned, head);
  }
  const message = timeoutMs === null ? error?.message : 'PROVIDER_TIMEOUT';
  const failure = error === null ? '' : `"error":${JSON.stringify(message)},`;
  const status = statusCode === null ? '' : `"statusCode":${statusCode},`;
  const timeout = timeoutMs === null ? '' : `,"providerTimeout":true,"configuredTimeoutMs":${timeoutMs}`;
  return `{${head}"success":${error === null},${failure}${status}"startTime":${startTime},"endTime":${endTime}${timeout}}`;
}

/** An object's members as JSON text that more members can follow. */
const membersOf = (object: Record<string, unknown>): string => `${JSON.stringify(object).slice(1, -1)},`;

/** `modelAttempts`, as JSON; `attempts` are the records as JSON, in the same order. */
function byModel(records: readonly AttemptRecord[], attempts: readonly string[]): string[] {
  const groups = new Map<string, { readonly attempts: string[]; success: boolean }>();
  records.forEach(({ planned, error }, i) => {
    const attempt = attempts[i] ?? '';
    const group = groups.get(planned.model.id);
    if (group) group.attempts.push(attempt);
    else groups.set(planned.model.id, { attempts: [attempt], success: false });
    if (error === null) Object.assign(groups.get(planned.model.id) ?? {}, { success: true });
  });
  return [...groups].map(([model, group]) => {
    const head = membersOf({ modelId: model, canonicalSlug: model, success: group.success });
    return `{${head}"providerAttemptCount":${group.attempts.length},"providerAttempts":[${group.attempts.join(',')}]}`;
  });
}
