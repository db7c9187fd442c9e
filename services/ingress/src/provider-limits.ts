import type { RoutingTable } from '@headgate/core/catalog';
import { GatewayError } from '@headgate/core/errors';
import { type Admission, type Demand, isRefusal, type Refusal } from '@headgate/core/limits';
import type { AttemptAdmission } from '@headgate/core/relay';
import type { PlannedAttempt } from '@headgate/core/routing';
import { providerSubject } from './admission.ts';
import type { Gateway } from './gateway.ts';

type Verdict = AttemptAdmission | GatewayError | null;

/** Holds each attempt against the limits that the operator has set for its provider; undefined where no provider has any. */
export function providerGate(
  { limiter }: Pick<Gateway, 'limiter'>,
  table: RoutingTable,
  demand: Demand,
  deadlineAt: number,
): ((planned: PlannedAttempt) => Verdict | Promise<Verdict>) | undefined {
  if (table.limits.providers.size === 0) return undefined;
  const options = { onRedisLoss: table.limits.onRedisLoss, deadlineAt, queue: null };
  return ({ endpoint }) => {
    const subject = providerSubject(table, endpoint.provider.name);
    if (subject === null) return null;
    const outcome = limiter.admit([subject], { tokens: demand.tokens, money: 0 }, options);
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
