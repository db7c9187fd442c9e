import { completionTokens, type Usage } from '../chat/index.ts';
import type { FailureClass, GatewayError } from '../errors/index.ts';
import type { HealthReporter } from '../health/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { Attempt } from './attempt.ts';
import { FIRST_TOKEN_TIMEOUT, REALIGNMENT_FAILED } from './failures.ts';
import { tellsOfEndpoint } from './policy.ts';

/** Fewer tokens, or a shorter time, tell of the network's packets and not of the model's pace. */
const LEAST_TOKENS = 10;
const LEAST_PACE_MS = 20;

const startOf = ({ sentAt, startedAt }: Attempt): number => sentAt ?? startedAt;

/** Tells health that an attempt on trial has shown its first content. */
export function reportAnswering(health: HealthReporter, attempt: Attempt): void {
  health.answering(attempt.planned.endpoint.key, startOf(attempt));
}

/**
 * Tells health how an attempt with the gateway's own credential went. `error` is null when it answered, and when the client
 * left; `answered` is set in the first case. `attempt` is null when no request could be made.
 */
export function reportAttempt(
  health: HealthReporter,
  planned: PlannedAttempt,
  attempt: Attempt | null,
  error: GatewayError | null,
  answered: { readonly usage: Usage | null } | undefined,
): void {
  const { key, provider } = planned.endpoint;
  const failure = attempt === null ? undefined : verdict(attempt, error, answered !== undefined);
  if (attempt === null || failure === undefined) {
    health.abandoned(key);
    return;
  }
  const startedAt = startOf(attempt);
  health.ended({
    endpointKey: key,
    provider: provider.name,
    failure,
    retryAfterMs: error?.retryAfterMs,
    status: attempt.status,
    startedAt,
    ttftMs: attempt.firstTokenAt === null ? null : attempt.firstTokenAt - startedAt,
    tokensPerSecond: answered?.usage ? tokensPerSecond(attempt, answered.usage) : null,
  });
}

/** Null: it answered, if only to refuse the request. Undefined: nothing can be told of the endpoint. */
function verdict(attempt: Attempt, error: GatewayError | null, answered: boolean): FailureClass | null | undefined {
  if (answered) return null;
  if (error?.failure === undefined) return wasSilent(attempt) ? 'silent' : undefined;
  if (error.code === REALIGNMENT_FAILED) return null;
  // A limit that the client chose must not close an endpoint to everybody else.
  if (error.code === FIRST_TOKEN_TIMEOUT && attempt.planned.firstTokenBinds) {
    return wasSilent(attempt) ? 'silent' : undefined;
  }
  return tellsOfEndpoint(error, attempt.sentAt !== null);
}

/** The client left, or its time was over; the endpoint is to blame for that once the operator's own limit had passed. */
function wasSilent({ planned, output, sentAt, firstTokenAt }: Attempt): boolean {
  if (output === null || sentAt === null || firstTokenAt !== null) return false;
  const { endpoint, model, firstTokenBinds } = planned;
  const own = firstTokenBinds ? model.endpoints.find(({ key }) => key === endpoint.key) : endpoint;
  const limitMs = own?.timeouts.firstTokenMs ?? 0;
  return limitMs > 0 && performance.now() - sentAt >= limitMs;
}

function tokensPerSecond({ firstTokenAt, lastDataAt, wasPaused }: Attempt, usage: Usage): number | null {
  if (firstTokenAt === null || wasPaused) return null;
  const tokens = completionTokens(usage);
  const ms = lastDataAt - firstTokenAt;
  return tokens >= LEAST_TOKENS && ms >= LEAST_PACE_MS ? (tokens * 1_000) / ms : null;
}
