import { completionTokens, promptTokens, type Usage } from '../chat/index.ts';
import type { AnswerMetadata, ChatAnswer, EncodedRequest, StreamProgress } from '../dialects/index.ts';
import type { GatewayError } from '../errors/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { AttemptObservation, TokenUsage } from '../telemetry/index.ts';
import type { Attempt } from './attempt.ts';
import { type AttemptRecord, metadataJson } from './metadata.ts';
import type { RelayRequest } from './request.ts';

/** What may stand in a header; a client's `tracestate` must not make our request invalid. */
const HEADER_TEXT = /^[\x20-\x7e]+$/;

/** The attempts of one request: what its metadata shows and telemetry is told of them. */
export class AttemptLog {
  readonly #request: RelayRequest;
  readonly #records: AttemptRecord[] = [];
  #observation: AttemptObservation | null = null;
  #warnings: readonly string[] = [];

  constructor(request: RelayRequest) {
    this.#request = request;
  }

  get count(): number {
    return this.#records.length;
  }

  get last(): PlannedAttempt | null {
    return this.#records.at(-1)?.planned ?? null;
  }

  begin(planned: PlannedAttempt): void {
    this.#records.push({ planned, startTime: Date.now(), endTime: 0, statusCode: null, error: null, timeoutMs: null });
  }

  /** The begun attempt's request goes out; returns its headers with the trace context. */
  send({ endpoint, model }: PlannedAttempt, encoded: EncodedRequest): string[] {
    this.#warnings = encoded.warnings;
    this.#observation = this.#request.observation.attempt({
      number: this.#records.length,
      provider: endpoint.provider.name,
      dialect: endpoint.provider.dialect,
      providerModel: endpoint.model,
      model: model.id,
      origin: originOf(encoded.url),
    });
    const { traceparent, tracestate } = this.#observation;
    const headers = [...encoded.headers];
    if (traceparent !== '') headers.push('traceparent', traceparent);
    if (HEADER_TEXT.test(tracestate)) headers.push('tracestate', tracestate);
    return headers;
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
    result?: StreamProgress | ChatAnswer,
  ): void {
    const record = this.#records.at(-1);
    if (record?.endTime !== 0) return;
    Object.assign(record, { endTime: Date.now(), statusCode: attempt?.status ?? null, error });
    this.#observation?.ended({
      endedAt: performance.now(),
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

  metadata(usage: Usage | null, costUsd: string | null): AnswerMetadata {
    const { generationId, requestedModel, plan, metadataAtTop, simulated } = this.#request;
    const json = metadataJson({
      generationId,
      requestedModel,
      plan,
      attempts: this.#records,
      costUsd,
      warnings: plan.warnings.length === 0 ? this.#warnings : [...plan.warnings, ...this.#warnings],
      hasUsage: usage !== null,
      simulated,
    });
    return { json, atTop: metadataAtTop };
  }
}

export function tokenUsage(usage: Usage): TokenUsage {
  return {
    promptTokens: promptTokens(usage),
    completionTokens: completionTokens(usage),
    cacheReadTokens: usage.cacheRead,
    cacheWriteTokens: usage.cacheWrite,
    reasoningTokens: usage.reasoning,
  };
}

function originOf(url: string): string {
  const path = url.indexOf('/', url.indexOf('//') + 2);
  return path < 0 ? url : url.slice(0, path);
}
