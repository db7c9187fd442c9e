import type { EndpointEntry, ProviderEntry } from '../catalog/index.ts';
import type { GatewayError } from '../errors/index.ts';
import type { Plan, PlannedAttempt } from '../routing/index.ts';
import type { UsageSource } from '../telemetry/index.ts';

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
  /** What the provider asks for it; an attempt with the caller's own credential costs the gateway nothing. */
  readonly costUsd: string | null;
  readonly warnings: readonly string[];
  /** Of what is accounted; the client is shown what its provider says, and no estimate. */
  readonly usageSource: UsageSource;
  /** The tier that served it; null where that is not worth saying. */
  readonly serviceTier: string | null;
  /** The simulator answers because no provider is configured. */
  readonly simulated: boolean;
  /** The answer is of more than one attempt: a stream broke and was taken up. */
  readonly resumed: boolean;
}

/**
 * The `provider_metadata` object as JSON text. What an endpoint says of itself is the same in every answer: that is written
 * once, and joined here to what is not.
 */
export function metadataJson(input: MetadataInput): string {
  const { plan, attempts: records, costUsd } = input;
  const answered = records[records.length - 1]?.planned ?? plan.attempts[0];
  const isByok = answered?.credentialType === 'byok';
  const attempts = records.map(attemptJson);
  const models = byModel(records, attempts);
  const sort = plan.sort === null ? '' : `"sort":${JSON.stringify(plan.sort)},`;
  const cost = costUsd === null ? '' : `"cost":"${isByok ? '0' : costUsd}","marketCost":"${costUsd}",`;
  const tier = input.serviceTier === null ? '' : `,"serviceTier":${JSON.stringify(input.serviceTier)}`;
  const affinity = plan.affinity === null ? '' : `,"affinity":"${plan.affinity}"`;
  const resumed = input.resumed ? ',"resumed":true' : '';
  const warnings = input.warnings.length > 0 ? `,"warnings":${JSON.stringify(input.warnings)}` : '';
  const simulated = input.simulated ? ',"simulated":true' : '';
  return (
    `{"gateway":{"routing":{"originalModelId":${JSON.stringify(input.requestedModel)},` +
    `${answered ? headOf(answered, plan) : ''}${sort}` +
    `"attempts":[${attempts.join(',')}],"modelAttemptCount":${models.length},"modelAttempts":[${models.join(',')}],` +
    `"totalProviderAttemptCount":${attempts.length}},${cost}"generationId":"${input.generationId}",` +
    `"usageSource":"${input.usageSource}"${tier}${affinity}${resumed}${warnings}${simulated}}}`
  );
}

/** What the endpoint that answered says of itself and of the plan it belongs to. */
function headOf({ endpoint, model }: PlannedAttempt, plan: Plan): string {
  const name = nameJson(endpoint.provider);
  return (
    `"canonicalSlug":${JSON.stringify(model.id)},"resolvedProvider":${name},${textsOf(endpoint).resolved}` +
    `"fallbacksAvailable":[${otherProviders(plan, name)}],"planningReasoning":${JSON.stringify(plan.reasoning)},"finalProvider":${name},`
  );
}

/** The names of the plan's other providers, each once, as JSON. */
function otherProviders(plan: Plan, name: string): string {
  if (plan.attempts.length === 1) return '';
  const names: string[] = [];
  for (const { endpoint } of plan.attempts) {
    const other = nameJson(endpoint.provider);
    if (other !== name && !names.includes(other)) names.push(other);
  }
  return names.join(',');
}

function attemptJson({ planned, error, statusCode, startTime, endTime, timeoutMs }: AttemptRecord): string {
  const message = timeoutMs === null ? error?.message : 'PROVIDER_TIMEOUT';
  const failure = error === null ? '' : `"error":${JSON.stringify(message)},`;
  const status = statusCode === null ? '' : `"statusCode":${statusCode},`;
  const timeout = timeoutMs === null ? '' : `,"providerTimeout":true,"configuredTimeoutMs":${timeoutMs}`;
  return (
    `{${textsOf(planned.endpoint).attempt}"credentialType":"${planned.credentialType}","success":${error === null},` +
    `${failure}${status}"startTime":${startTime},"endTime":${endTime}${timeout}}`
  );
}

interface EndpointTexts {
  /** Members of an attempt. */
  readonly attempt: string;
  /** Members of `routing` when it answered. */
  readonly resolved: string;
}

/** By the catalog's own objects: they live as long as their snapshot, while plans and their attempts come and go. */
const endpoints = new WeakMap<EndpointEntry, EndpointTexts>();
const names = new WeakMap<ProviderEntry, string>();

function textsOf(endpoint: EndpointEntry): EndpointTexts {
  let texts = endpoints.get(endpoint);
  if (texts === undefined) {
    const { provider, key, model } = endpoint;
    texts = {
      attempt: membersOf({ provider: provider.name, internalModelId: key, providerApiModelId: model }),
      resolved: membersOf({ resolvedProviderApiModelId: model, internalResolvedModelId: key }),
    };
    endpoints.set(endpoint, texts);
  }
  return texts;
}

function nameJson(provider: ProviderEntry): string {
  let name = names.get(provider);
  if (name === undefined) {
    name = JSON.stringify(provider.name);
    names.set(provider, name);
  }
  return name;
}

/** An object's members as JSON text that more members can follow. */
const membersOf = (object: Record<string, unknown>): string => `${JSON.stringify(object).slice(1, -1)},`;

/** `modelAttempts`, as JSON; `attempts` are the records as JSON, in the same order. A model that is come back to counts again. */
function byModel(records: readonly AttemptRecord[], attempts: readonly string[]): string[] {
  const models: string[] = [];
  let from = 0;
  for (let i = 1; i <= records.length; i++) {
    const { id } = records[from]?.planned.model ?? { id: '' };
    if (records[i]?.planned.model.id === id) continue;
    const success = records[i - 1]?.error === null;
    const model = JSON.stringify(id);
    const own = attempts.slice(from, i);
    models.push(
      `{"modelId":${model},"canonicalSlug":${model},"success":${success},"providerAttemptCount":${own.length},` +
        `"providerAttempts":[${own.join(',')}]}`,
    );
    from = i;
  }
  return models;
}
