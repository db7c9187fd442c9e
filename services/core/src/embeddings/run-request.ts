import { findEmbeddingDialect } from '../dialects/index.ts';
import { GatewayError } from '../errors/index.ts';
import { type Accounted, MAX_ATTEMPTS, targetOf } from '../relay/index.ts';
import type { Plan, PlannedAttempt } from '../routing/index.ts';
import type { RequestObservation } from '../telemetry/index.ts';
import { embeddingsAnswer, type ModelRun, promptTokensOf } from './answer.ts';
import type { ChunkCall, ChunkHead, ChunkOutcome, ChunkTools, EmbeddingRunner } from './contract.ts';
import { usageOf } from './endpoint-attempt.ts';
import { GIVEN_UP } from './inline-runner.ts';
import type { EmbeddingRequest } from './request.ts';
import { splitItems } from './split.ts';
import { sumUsd } from './sum-usd.ts';

/** Some providers take one text a call; a chunk has more, and is cut into calls where it is run. */
const LEAST_CHUNK_ITEMS = 16;

export interface EmbeddingsRun {
  readonly request: EmbeddingRequest;
  readonly plan: Plan;
  /** `performance.now()`. */
  readonly deadlineAt: number;
  readonly signal: AbortSignal;
  readonly observation: RequestObservation;
  readonly generationId: string;
  /** The simulator answers because no provider is configured. */
  readonly simulated: boolean;
}

export interface EmbeddingsOutcome {
  /** The bytes for the client; null with `error`. */
  readonly body: Buffer | null;
  readonly error: GatewayError | null;
  /** The endpoint that answered, or failed last. */
  readonly last: PlannedAttempt | null;
  readonly attempts: number;
  /** Null when nothing was used. */
  readonly accounted: Accounted | null;
}

/** Embeds a whole request, by one model: where that fails, the next one of the plan starts anew. Never rejects. */
export async function runEmbeddings(
  run: EmbeddingsRun,
  runner: EmbeddingRunner,
  tools: ChunkTools,
): Promise<EmbeddingsOutcome> {
  const { request, plan, generationId, simulated } = run;
  const runs: ModelRun[] = [];
  let failure: GatewayError | null = null;
  let last: PlannedAttempt | null = null;
  for (const ofModel of plansByModel(plan)) {
    const outcomes = await runner.run(chunksOf(run, ofModel), tools);
    const heads = outcomes.map(({ head }) => head);
    const error = errorOf(outcomes);
    const [first] = ofModel.attempts;
    last = plannedBy(ofModel, heads) ?? last;
    runs.push({ modelId: first?.model.id ?? '', success: error === null, heads });
    const answered = last ?? first;
    if (error === null && answered !== undefined) {
      const data = outcomes.flatMap((outcome) => outcome.data ?? []);
      const body = embeddingsAnswer({ request: request.head, generationId, plan, runs, answered, data, simulated });
      return { body, error, last: answered, attempts: attemptsOf(runs), accounted: accountedOf(runs) };
    }
    failure = error ?? failure;
    if (run.signal.aborted || !isWorthAnotherModel(failure, heads)) break;
  }
  const error = failure ?? new GatewayError('no_provider_available', 'No provider could be tried.');
  return { body: null, error, last, attempts: attemptsOf(runs), accounted: accountedOf(runs) };
}

/** Runs of neighbouring attempts of one model, as plans of their own. */
function plansByModel(plan: Plan): readonly Plan[] {
  const groups: PlannedAttempt[][] = [];
  for (const planned of plan.attempts) {
    const group = groups.at(-1);
    if (group?.[0]?.model.id === planned.model.id) group.push(planned);
    else groups.push([planned]);
  }
  if (groups.length === 1) return [plan];
  return groups.map((attempts) => ({ ...plan, attempts, keys: attempts.map(({ endpoint }) => endpoint.key) }));
}

/** By what the first endpoint takes in one call. */
function chunksOf({ request, deadlineAt, signal, observation, generationId }: EmbeddingsRun, plan: Plan): ChunkCall[] {
  const [first] = plan.attempts;
  const known = first && findEmbeddingDialect(first.endpoint.provider.dialect)?.limits(targetOf(first));
  const limits = known ?? { items: Number.POSITIVE_INFINITY, tokens: 0 };
  const items = Math.max(limits.items, LEAST_CHUNK_ITEMS);
  return splitItems(request.items, { ...limits, items }).map(([start, end]) => ({
    items: request.items.slice(start, end),
    from: start,
    request: request.head,
    plan,
    deadlineAt,
    signal,
    observation,
    generationId,
    ...(request.strict ? { strict: true } : {}),
  }));
}

/** The error of the chunk that failed, not of those that were given up because of it. */
function errorOf(outcomes: readonly ChunkOutcome[]): GatewayError | null {
  const errors = outcomes.flatMap(({ error }) => error ?? []);
  return errors.find(({ code }) => code !== GIVEN_UP && code !== 'abandoned') ?? errors[0] ?? null;
}

function plannedBy({ attempts }: Plan, heads: readonly ChunkHead[]): PlannedAttempt | undefined {
  const head = heads.findLast(({ provider }) => provider !== '');
  if (head === undefined) return undefined;
  return attempts.find(
    ({ endpoint }) => endpoint.provider.name === head.provider && endpoint.model === head.providerModel,
  );
}

/** What the caller has to change fails everywhere; a shorter window may be another model's longer one. */
function isWorthAnotherModel(error: GatewayError | null, heads: readonly ChunkHead[]): boolean {
  if (error?.failure === undefined || error.failure === 'bad_request' || error.failure === 'content_filter')
    return false;
  return heads.every(({ attempts }) => attempts.length < MAX_ATTEMPTS);
}

const attemptsOf = (runs: readonly ModelRun[]): number =>
  runs.reduce((sum, { heads }) => sum + heads.reduce((of, { attempts }) => of + attempts.length, 0), 0);

function accountedOf(runs: readonly ModelRun[]): Accounted | null {
  const heads = runs.flatMap((run) => run.heads).filter(({ promptTokens }) => promptTokens > 0);
  if (heads.length === 0) return null;
  return {
    usage: usageOf(promptTokensOf(heads)),
    source: heads.some(({ usageSource }) => usageSource === 'estimated') ? 'estimated' : 'provider',
    costUsd: sumUsd(heads.map((head) => head.costUsd)),
    marketCostUsd: sumUsd(heads.map((head) => head.marketCostUsd)),
  };
}
