import type { DrainPolicy } from '../catalog/index.ts';
import { completionTokens, promptTokens, type Usage } from '../chat/index.ts';
import type { ChatAnswer } from '../dialects/index.ts';
import { costUsd, fromDecimal, toDecimal } from '../ledger/index.ts';
import type { PlannedAttempt } from '../routing/index.ts';
import type { TokenUsage, UsageSource } from '../telemetry/index.ts';
import type { Attempt } from './attempt.ts';
import type { FoundUsage, LateUsage } from './late-usage.ts';

/** One attempt that cost something. */
export interface BilledAttempt {
  readonly planned: PlannedAttempt;
  readonly usage: Usage;
  readonly source: UsageSource;
  /** What its provider asks for it; null when a price is unknown. */
  readonly costUsd: string | null;
}

/** The sum of what a request's attempts used: what its ledger record says, and what its limits and budgets are charged. */
export interface Accounted {
  readonly usage: TokenUsage;
  /** The least certain one of all. */
  readonly source: UsageSource;
  /** Decimal, US dollars; null when a price is unknown. Attempts with a caller's own credential cost the gateway nothing. */
  readonly costUsd: string | null;
  /** The same, whoever pays it. */
  readonly marketCostUsd: string | null;
}

/** What the attempts of one request used, found out one after another; some of it only after the client has its answer. */
export class Account {
  readonly #late: LateUsage;
  readonly #billed: BilledAttempt[] = [];
  readonly #pending: Promise<void>[] = [];

  constructor(late: LateUsage) {
    this.#late = late;
  }

  get billed(): readonly BilledAttempt[] {
    return this.#billed;
  }

  /** The attempt answered, and this is what it used. */
  add(planned: PlannedAttempt, usage: Usage, source: UsageSource): BilledAttempt {
    const billed = { planned, usage, source, costUsd: costUsd(usage, planned.endpoint.pricing) };
    this.#billed.push(billed);
    return billed;
  }

  /**
   * The attempt failed. Before its first content that costs nothing (DESIGN 6), unless its provider has said otherwise: `told`.
   * Returns whether what it used is told to its observer and its admission by this account.
   */
  failed(attempt: Attempt, told: Usage | null): boolean {
    const progress = attempt.output?.decoder.progress;
    const final = told ?? (progress?.complete ? progress.usage : null);
    if (final !== null && attempt.isAccepted) this.#enter(attempt, final, 'provider');
    else if (progress?.hasContent || attempt.answerBytes > 0) this.#await(attempt, this.#late.estimate(attempt));
    else return false;
    return true;
  }

  /** The attempt answered, and its provider has not said what that used: the client has its answer, the count follows. */
  untold(attempt: Attempt, answer: ChatAnswer | null = null): void {
    this.#await(attempt, this.#late.estimate(attempt, answer));
  }

  /** Nobody waits for the attempt any more: it ends now, or when its provider has said what it used. Returns as `failed` does. */
  leave(attempt: Attempt, policy: DrainPolicy): boolean {
    const progress = attempt.output?.decoder.progress;
    if (!attempt.isAccepted) {
      attempt.abort();
      return false;
    }
    if (progress?.complete && progress.usage !== null) {
      attempt.abort();
      this.#enter(attempt, progress.usage, 'provider');
    } else this.#await(attempt, this.#late.leave(attempt, policy));
    return true;
  }

  #await(attempt: Attempt, finding: Promise<FoundUsage>): void {
    this.#pending.push(
      finding.then(({ usage, source }) => {
        if (usage === null) attempt.admission?.settle(0);
        else this.#enter(attempt, usage, source);
      }),
    );
  }

  /** The same for an attempt whose end told nothing of it: now its observer and its admission are told. */
  #enter(attempt: Attempt, usage: Usage, source: UsageSource): void {
    attempt.admission?.settle(promptTokens(usage) + completionTokens(usage));
    attempt.observed?.used(tokenUsage(usage), source);
    this.add(attempt.planned, usage, source);
  }

  /** Calls back when all is known: at once where it is. */
  whenKnown(settle: () => void): void {
    if (this.#pending.length === 0) settle();
    else void this.#late.track(Promise.all(this.#pending).then(settle));
  }

  /** Null when nothing was used. */
  sum(): Accounted | null {
    const [first, ...others] = this.#billed;
    if (first === undefined) return null;
    if (others.length === 0) {
      const { usage, source, costUsd: cost, planned } = first;
      return {
        usage: tokenUsage(usage),
        source,
        costUsd: planned.credentialType === 'byok' ? '0' : cost,
        marketCostUsd: cost,
      };
    }
    return {
      usage: tokenUsage(others.reduce((sum, { usage }) => added(sum, usage), first.usage)),
      source: SOURCES.find((source) => this.#billed.some((one) => one.source === source)) ?? first.source,
      costUsd: sumUsd(
        this.#billed.map(({ planned, costUsd: cost }) => (planned.credentialType === 'byok' ? '0' : cost)),
      ),
      marketCostUsd: sumUsd(this.#billed.map(({ costUsd: cost }) => cost)),
    };
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

/** The least certain first. */
const SOURCES: readonly UsageSource[] = ['estimated', 'drained', 'provider'];

function added(a: Usage, b: Usage): Usage {
  const both = (x: number | null, y: number | null): number | null =>
    x === null && y === null ? null : (x ?? 0) + (y ?? 0);
  return {
    uncachedInput: a.uncachedInput + b.uncachedInput,
    cacheRead: both(a.cacheRead, b.cacheRead),
    cacheWrite: both(a.cacheWrite, b.cacheWrite),
    output: a.output + b.output,
    reasoning: both(a.reasoning, b.reasoning),
  };
}

function sumUsd(costs: readonly (string | null)[]): string | null {
  const [only, another] = costs;
  if (another === undefined) return only ?? null;
  let sum = 0n;
  for (const cost of costs) {
    if (cost === null) return null;
    sum += fromDecimal(cost);
  }
  return toDecimal(sum);
}
