import type { RoutingTable } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import {
  type Admission,
  type Demand,
  isRefusal,
  type LimitStatus,
  type RedisLimiter,
  type Refusal,
} from '../limits/index.ts';
import type { AttemptAdmission } from '../relay/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import { providerSubject } from './subjects.ts';

const SOON_MS = 1_000;

type Verdict = AttemptAdmission | GatewayError | null;

/**
 * Holds each attempt against the limits that the operator has set for its provider; undefined where no provider has any.
 * An attempt may say how many tokens it needs itself, where it carries a part of the request. `stepsBack` tells what is not to be
 * used though it is there, because others come first.
 */
export function providerGate(
  { limiter }: { readonly limiter: Pick<RedisLimiter, 'admit'> },
  table: RoutingTable,
  demand: Demand,
  deadlineAt: number,
  stepsBack?: (status: LimitStatus, demand: Demand) => boolean,
): ((planned: PlannedAttempt, tokens?: number) => Verdict | Promise<Verdict>) | undefined {
  if (table.limits.providers.size === 0) return undefined;
  const options = { onRedisLoss: table.limits.onRedisLoss, deadlineAt, queue: null };
  return ({ endpoint }, tokens = demand.tokens) => {
    const subject = providerSubject(table, endpoint.provider.name);
    if (subject === null) return null;
    const own = { tokens, money: 0 };
    const judge = (outcome: Admission | Refusal): Verdict => {
      if (isRefusal(outcome) || stepsBack?.(outcome.status, own) !== true) return verdict(outcome);
      outcome.release();
      return limited(`The limits of the provider ${subject.name} are left to others for now.`, null, SOON_MS);
    };
    const outcome = limiter.admit([subject], own, options);
    return outcome instanceof Promise ? outcome.then(judge) : judge(outcome);
  };
}

function verdict(outcome: Admission | Refusal): Verdict {
  if (!isRefusal(outcome)) return { settle: (tokens) => outcome.settle({ tokens, money: 0 }) };
  const { message, code, retryAfterMs } = outcome.error;
  return limited(message, code, retryAfterMs);
}

const limited = (message: string, code: string | null, retryAfterMs: number | undefined): GatewayError =>
  new GatewayError('rate_limit_exceeded', message, {
    failure: 'rate_limited',
    code,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
