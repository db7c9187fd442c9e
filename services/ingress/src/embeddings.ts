import type { RoutingTable } from '@headgate/core/catalog';
import {
  type ChunkTools,
  type EmbeddingRequest,
  type EmbeddingsOutcome,
  readEmbeddingRequest,
  runEmbeddings,
} from '@headgate/core/embeddings';
import type { Principal } from '@headgate/core/identity';
import { type Admission, type Demand, isRefusal } from '@headgate/core/limits';
import type { Timing } from '@headgate/core/relay';
import {
  askedOfEmbeddings,
  demandOfEmbeddings,
  type PlannedEmbeddings,
  planEmbeddings,
  providerGate,
  requestEnd,
  servedEmbeddings,
  settle,
  subjectsOf,
} from '@headgate/core/serving';
import type { RequestObservation } from '@headgate/core/telemetry';
import { type CollectedBody, collectBody, releaseBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import { identify } from './identify.ts';
import { limitHeaders } from './limit-headers.ts';
import { clientTimeoutMs, goneEnd, refusedEnd } from './request-end.ts';

export const EMBEDDINGS_ROUTE = '/v1/embeddings';

/** `POST /v1/embeddings` (WIRE 2.9): identify, read, plan, run, settle. */
export function serveEmbeddings(exchange: Exchange, gateway: Gateway): void {
  const observation = gateway.telemetry.observe({
    method: exchange.method,
    route: EMBEDDINGS_ROUTE,
    requestId: exchange.requestId,
    generationId: exchange.generationId,
    traceparent: exchange.traceparent,
    tracestate: exchange.tracestate,
    startedAt: exchange.startedAt,
  });
  let known: Principal | null = null;
  const refuse = (thrown: unknown): void => {
    if (exchange.gone) return;
    exchange.refuseThrown(thrown);
    observation.ended(refusedEnd(exchange, thrown, known));
  };
  try {
    const { table } = gateway.current();
    const caller = identify(exchange, gateway);
    known = caller instanceof Promise ? null : caller;
    exchange.onGone = () => observation.ended(goneEnd(known));
    collectBody(exchange, table.server.maxBodyBytes, async (body, error) => {
      try {
        const principal = await caller;
        known = principal;
        if (exchange.gone) return;
        if (body === null) throw error;
        await new EmbeddingsCall(exchange, gateway, table, principal, observation).serve(body);
      } catch (thrown) {
        refuse(thrown);
      }
    });
  } catch (thrown) {
    refuse(thrown);
  }
}

/** One embeddings request on its way. */
class EmbeddingsCall {
  readonly #exchange: Exchange;
  readonly #gateway: Gateway;
  readonly #table: RoutingTable;
  readonly #principal: Principal;
  readonly #observation: RequestObservation;

  constructor(
    exchange: Exchange,
    gateway: Gateway,
    table: RoutingTable,
    principal: Principal,
    observation: RequestObservation,
  ) {
    this.#exchange = exchange;
    this.#gateway = gateway;
    this.#table = table;
    this.#principal = principal;
    this.#observation = observation;
  }

  /** Rejects with what is wrong before a provider is asked; answers everything else itself. */
  async serve(body: CollectedBody): Promise<void> {
    const exchange = this.#exchange;
    const request = readEmbeddingRequest(body.store.subarray(body.start, body.end), this.#table.embeddings.maxItems);
    releaseBody(body);
    const planned = this.#plan(request);
    this.#observation.routed({
      operation: 'embeddings',
      model: request.head.model,
      stream: false,
      keyName: this.#principal.name,
      plan: planned.plan.keys,
      body: request.outline,
    });
    const demand = demandOfEmbeddings(this.#gateway, this.#principal, request, planned);
    const admitted = await this.#admit(request, planned, demand);
    if (exchange.gone) {
      admitted?.release();
      return;
    }
    await this.#run(request, planned, demand, admitted);
  }

  /** Whoever runs a plan takes the permits of the half-open endpoints that it asks first, and wants those it had to put last. */
  #plan(request: EmbeddingRequest): PlannedEmbeddings {
    const { health } = this.#gateway;
    const seed = (Math.random() * 2 ** 32) >>> 0;
    const planned = planEmbeddings(request, this.#principal, { table: this.#table, health: health.view() }, seed);
    for (const key of planned.plan.permits) health.takePermit(key);
    for (const key of planned.plan.wanted) health.wanted(key);
    return planned;
  }

  /** Null where nobody has a limit. Rejects with a refusal. */
  async #admit({ user }: EmbeddingRequest, { request }: PlannedEmbeddings, demand: Demand): Promise<Admission | null> {
    const [model] = request.models;
    const subjects = model === undefined ? [] : subjectsOf(this.#table, this.#principal, model, user);
    if (subjects.length === 0) return null;
    const outcome = await this.#gateway.limiter.admit(subjects, demand, {
      onRedisLoss: this.#table.limits.onRedisLoss,
      deadlineAt: this.#deadlineAt,
      queue: this.#principal.queue,
    });
    this.#exchange.limitHeaders = limitHeaders(outcome.status);
    if (isRefusal(outcome)) throw outcome.error;
    return outcome;
  }

  get #deadlineAt(): number {
    const { startedAt, clientTimeout } = this.#exchange;
    return startedAt + Math.min(this.#table.server.requestTimeoutMs, clientTimeoutMs(clientTimeout));
  }

  async #run(
    request: EmbeddingRequest,
    planned: PlannedEmbeddings,
    demand: Demand,
    admission: Admission | null,
  ): Promise<void> {
    const exchange = this.#exchange;
    const { plan } = planned;
    const left = new AbortController();
    exchange.onGone = () => left.abort(new Error('the client left'));
    exchange.onCut = (error) => {
      exchange.refuse(error);
      left.abort(error);
    };
    const beganAt = performance.now();
    const run = {
      request,
      plan,
      deadlineAt: this.#deadlineAt,
      signal: left.signal,
      observation: this.#observation,
      generationId: exchange.generationId,
      simulated: this.#table.simulated,
    };
    const outcome = await runEmbeddings(run, this.#runner(request, planned), this.#tools(demand));
    const runMs = performance.now() - beganAt;
    const gatewayMs = Math.max(0, performance.now() - exchange.startedAt - runMs);
    const timing = { gatewayMs, upstreamMs: runMs, waitMs: 0, attempts: outcome.attempts };
    this.#answer(outcome, timing);
    this.#settle(request, planned, outcome, admission, gatewayMs);
  }

  /** A caller's own credentials never leave this process. */
  #runner({ strict }: EmbeddingRequest, { plan }: PlannedEmbeddings) {
    const stays = strict || plan.attempts.some(({ credentialType }) => credentialType === 'byok');
    return stays ? this.#gateway.inlineEmbeddings : this.#gateway.microBatches.runnerFor(this.#principal.id);
  }

  #tools(demand: Demand): ChunkTools {
    const { pools, authorizers, health, telemetry } = this.#gateway;
    const admitAttempt = providerGate(this.#gateway, this.#table, demand, this.#deadlineAt);
    return {
      pools,
      authorizers,
      health,
      log: telemetry.logger,
      ...(admitAttempt === undefined ? {} : { admitAttempt }),
    };
  }

  #answer({ body, error, last }: EmbeddingsOutcome, timing: Timing): void {
    const exchange = this.#exchange;
    if (exchange.gone) return;
    if (error !== null) exchange.refuse(error, timing);
    else if (body !== null) exchange.answer(body, last?.endpoint.provider.name ?? '', timing);
  }

  /** What was used takes the place of what was reserved, and is written down. */
  #settle(
    request: EmbeddingRequest,
    planned: PlannedEmbeddings,
    outcome: EmbeddingsOutcome,
    admission: Admission | null,
    gatewayMs: number,
  ): void {
    const exchange = this.#exchange;
    const principal = this.#principal;
    const served = servedEmbeddings(outcome, exchange.gone);
    const asked = askedOfEmbeddings(request);
    settle(this.#gateway, { facts: exchange, principal, asked, planned: planned.request, admission }, served);
    this.#observation.ended(requestEnd(served, principal, exchange.status, gatewayMs));
  }
}
