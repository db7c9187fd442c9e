import type { RoutingTable } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import { type Admission, type Demand, isRefusal, type RedisLimiter, type Refusal } from '../limits/index.ts';
import type { AttemptAdmission } from '../relay/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { providerSubject } from './subjects.ts';

type Verdict = AttemptAdmission | GatewayError | null;

/**
 * Holds each attempt against the limits that the operator has set for its provider; undefined where no provider has any.
 * An attempt may say how many tokens it needs itself, where it carries a part of the request.
 */
export function providerGate(
  { limiter }: { readonly limiter: Pick<RedisLimiter, 'admit'> },
  table: RoutingTable,
  demand: Demand,
  deadlineAt: number,
): ((planned: PlannedAttempt, tokens?: number) => Verdict | Promise<Verdict>) | undefined {
  if (table.limits.providers.size === 0) return undefined;
  const options = { onRedisLoss: table.limits.onRedisLoss, deadlineAt, queue: null };
  return ({ endpoint }, tokens = demand.tokens) => {
    const subject = providerSubject(table, endpoint.provider.name);
    if (subject === null) return null;
    const outcome = limiter.admit([subject], { tokens, money: 0 }, options);
    return outcome instanceof Promise ? outcome.then(verdict) : verdict(outcome);
  };
}

function verdict(outcome: Admission | Refusal): Verdict {
  if (!isRefusal(outcome)) return { settle: (tokens) => outcome.settle({ tokens, money: 0 }) };
  const { message, code, retryAfterMs } = outcome.error;
  return new GatewayError('rate_limit_exceeded', message, {
    failure: 'rate_limited',
    code,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
