import { completionTokens, promptTokens } from '../chat/index.ts';
import type { AnswerMetadata, ChatAnswer, EncodedRequest, StreamProgress } from '../dialects/index.ts';
import type { GatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { AttemptObservation } from '../telemetry/index.ts';
import { type BilledAttempt, tokenUsage } from './account.ts';
import type { Attempt } from './attempt.ts';
import { reportAnswering, reportAttempt } from './health-report.ts';
import { type AttemptRecord, metadataJson } from './metadata.ts';
import type { RelayRequest } from './request.ts';
import type { Timing } from './sink.ts';

/** What may stand in a header; a client's `tracestate` must not make our request invalid. */
const HEADER_TEXT = /^[\x20-\x7e]+$/;

interface AttemptResult {
  /** Its answer. */
  readonly result?: StreamProgress | ChatAnswer;
  /** What it used is told to its observer and its admission when it is known. */
  readonly later?: boolean;
}

/** The attempts of one request: what its metadata shows, what telemetry and health are told of them, and what time they took. */
export class AttemptLog {
  /** A broken stream was taken up by another attempt. */
  resumed = false;
  readonly #request: RelayRequest;
  readonly #records: AttemptRecord[] = [];
  #observation: AttemptObservation | null = null;
  /** The begun attempt is to find out whether its endpoint is back. */
  #onTrial = false;
  #warnings: readonly string[] = [];
  #serviceTier: string | null = null;
  /** When the open attempt's request went out. */
  #openSince: number | null = null;
  #upstreamMs = 0;
  #waitingSince: number | null = null;
  #waitMs = 0;

  constructor(request: RelayRequest) {
    this.#request = request;
  }

  get count(): number {
    return this.#records.length;
  }

  get last(): PlannedAttempt | null {
    return this.#records.at(-1)?.planned ?? null;
  }

  /** Nothing is done on purpose until the next attempt begins. */
  wait(): void {
    this.#waitingSince = performance.now();
  }

  begin(planned: PlannedAttempt): void {
    if (this.#waitingSince !== null) {
      this.#waitMs += performance.now() - this.#waitingSince;
      this.#waitingSince = null;
    }
    this.#onTrial = planned.credentialType === 'system' && this.#request.health.began(planned.endpoint.key);
    this.#records.push({ planned, startTime: Date.now(), endTime: 0, statusCode: null, error: null, timeoutMs: null });
  }

  /** The begun attempt's request goes out; returns its headers with the trace context. */
  send(attempt: Attempt, encoded: EncodedRequest): string[] {
    const { endpoint, model } = attempt.planned;
    this.#warnings = encoded.warnings;
    this.#observation = this.#request.observation.attempt({
      number: this.#records.length,
      provider: endpoint.provider.name,
      dialect: endpoint.provider.dialect,
      providerModel: endpoint.model,
      model: model.id,
      origin: originOf(encoded.url),
    });
    attempt.observed = this.#observation;
    const { traceparent, tracestate } = this.#observation;
    const headers = [...encoded.headers];
    if (traceparent !== '') headers.push('traceparent', traceparent);
    if (HEADER_TEXT.test(tracestate)) headers.push('tracestate', tracestate);
    this.#openSince = performance.now();
    return headers;
  }

  /** The begun attempt's first content has come. */
  answering(attempt: Attempt): void {
    if (this.#onTrial) reportAnswering(this.#request.health, attempt);
  }

  /** A limit of ours ends the attempt. */
  timedOut(ms: number): void {
    const record = this.#records.at(-1);
    if (record) record.timeoutMs = ms;
  }

  /** Ends the begun attempt; does nothing when it has ended. `attempt` is null when no request could be made. */
  end(
    attempt: Attempt | null,
    error: GatewayError | null,
    errorType: string | null,
    { result, later = false }: AttemptResult = {},
  ): void {
    const record = this.#records.at(-1);
    if (record?.endTime !== 0) return;
    if (!later)
      attempt?.admission?.settle(result?.usage ? promptTokens(result.usage) + completionTokens(result.usage) : 0);
    const now = performance.now();
    Object.assign(record, { endTime: Date.now(), statusCode: attempt?.status ?? null, error });
    if (this.#openSince !== null) this.#upstreamMs += now - this.#openSince;
    this.#openSince = null;
    this.#serviceTier = result?.serviceTier ?? null;
    const { planned } = record;
    if (planned.credentialType === 'system') reportAttempt(this.#request.health, planned, attempt, error, result);
    this.#observation?.ended({
      endedAt: now,
      status: record.statusCode,
      errorType,
      firstChunkAt: attempt?.firstDataAt ?? null,
      usage: result?.usage ? tokenUsage(result.usage) : null,
      responseId: result?.responseId ?? null,
      responseModel: result?.responseModel ?? null,
      finishReasons: result?.finishReasons ?? [],
    });
    this.#observation = null;
  }

  /** Until now. */
  timing(): Timing {
    const now = performance.now();
    const upstreamMs = this.#upstreamMs + (this.#openSince === null ? 0 : now - this.#openSince);
    const waitMs = this.#waitMs + (this.#waitingSince === null ? 0 : now - this.#waitingSince);
    const gatewayMs = Math.max(0, now - this.#request.startedAt - upstreamMs - waitMs);
    return { gatewayMs, upstreamMs, waitMs, attempts: this.#records.length };
  }

  /** `billed`: null where its provider has not said what the answer used. */
  metadata(billed: BilledAttempt | null): AnswerMetadata {
    const { generationId, requestedModel, plan, metadataAtTop, simulated } = this.#request;
    const json = metadataJson({
      generationId,
      requestedModel,
      plan,
      attempts: this.#records,
      costUsd: billed?.costUsd ?? null,
      warnings: plan.warnings.length === 0 ? this.#warnings : [...plan.warnings, ...this.#warnings],
      usageSource: billed?.source ?? 'estimated',
      serviceTier: this.#tierWorthSaying(),
      simulated,
      resumed: this.resumed,
    });
    return { json, atTop: metadataAtTop };
  }

  /** The ordinary one is, where another one was asked for. */
  #tierWorthSaying(): string | null {
    const { service_tier: asked, providerOptions } = this.#request.chat.outline;
    const isAsked = typeof asked === 'string' || providerOptions?.gateway?.serviceTier !== undefined;
    return this.#serviceTier === 'default' && !isAsked ? null : this.#serviceTier;
  }
}

function originOf(url: string): string {
  const path = url.indexOf('/', url.indexOf('//') + 2);
  return path < 0 ? url : url.slice(0, path);
}
