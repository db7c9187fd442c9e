import type { EmbeddingRequest, EmbeddingsOutcome } from '../embeddings/index.ts';
import type { HealthBoard } from '../health/index.ts';
import type { Principal } from '../identity/index.ts';
import type { UsageWriter } from '../ledger/index.ts';
import { type Admission, nanoCost } from '../limits/index.ts';
import type { RelayOutcome } from '../relay/index.ts';
import type { AffinityMemory, PlanRequest } from '../routing/index.ts';
import type { RequestEnd } from '../telemetry/index.ts';
import { reportOutcome } from './report-outcome.ts';
import { type AskedFacts, type RequestFacts, type ServedFacts, usageRecord } from './usage-record.ts';

/** Who hears of the end of a request. */
export interface Books {
  readonly usage: Pick<UsageWriter, 'write'>;
  readonly health: Pick<HealthBoard, 'finished'>;
  readonly affinity: AffinityMemory;
}

export interface SettledRequest {
  readonly facts: RequestFacts;
  readonly principal: Principal;
  readonly asked: AskedFacts;
  readonly planned: PlanRequest;
  /** Null where nobody has a limit. */
  readonly admission: Admission | null;
}

/** How a request ended, for all that hear of it; a `RelayOutcome` is one. */
export type Served = ServedFacts & Pick<RelayOutcome, 'last'> & Partial<Pick<RelayOutcome, 'resumed'>>;

/** What was used takes the place of what was reserved, is written down, and later requests learn from it. */
export function settle(books: Books, request: SettledRequest, served: Served): void {
  const { accounted, attempts } = served;
  reportOutcome(books, request.planned, served);
  if (attempts === 0) {
    request.admission?.release();
    return;
  }
  const tokens = accounted === null ? 0 : accounted.usage.promptTokens + accounted.usage.completionTokens;
  request.admission?.settle({ tokens, money: accounted?.costUsd ? nanoCost(accounted.costUsd) : 0 });
  books.usage.write(usageRecord(request.facts, request.principal, request.asked, served));
}

/** The same for telemetry. `overheadMs`: as `RequestEnd` has it. */
export function requestEnd(
  served: Served,
  principal: Principal,
  status: number,
  overheadMs: number | null = null,
): RequestEnd {
  const { endedAt, error, clientAborted, firstContentAt, provider, model, attempts, accounted } = served;
  return {
    endedAt,
    status: clientAborted ? 499 : status,
    errorType: error?.type ?? null,
    clientAborted,
    firstByteAt: firstContentAt,
    provider,
    model,
    attempts,
    usage: accounted?.usage ?? null,
    costUsd: accounted?.costUsd ?? null,
    keyName: principal.name,
    payer: payerOf(principal),
    resumed: served.resumed === true && error === null,
    overheadMs,
  };
}

/** Subjects of a token are too many to be labels, and their names may be people's. */
function payerOf({ isOfToken, name, group }: Principal): string {
  if (!isOfToken) return name;
  return group === '' ? 'oidc' : `oidc ${group}`;
}

export function askedOfEmbeddings({ head, user, tags }: EmbeddingRequest): AskedFacts {
  return { operation: 'embeddings', model: head.model, stream: false, user, tags };
}

/** An embeddings request that ends now. */
export function servedEmbeddings(outcome: EmbeddingsOutcome, clientAborted: boolean): Served {
  const { error, last, attempts, accounted } = outcome;
  const endedAt = performance.now();
  return {
    error,
    clientAborted,
    last,
    attempts,
    accounted,
    endedAt,
    provider: last?.endpoint.provider.name ?? null,
    model: last?.model.id ?? null,
    firstContentAt: error === null && !clientAborted ? endedAt : null,
  };
}
