import { setTimeout as pause } from 'node:timers/promises';
import { eventually, idle } from '../../resilience/observe.ts';
import type { SimulatorProcess } from '../../support/simulator-process.ts';
import { type Stack, withStack } from '../../support/stack.ts';
import { ask, type Outcome, reference, told } from '../client.ts';
import { endpointOf, PROVIDERS, type ProviderName, providersOn, upstreamModel } from '../providers.ts';
import { drawQuestion, MODELS, type Question } from './question.ts';
import { Random } from './random.ts';
import { judge, type Verdict } from './verdict.ts';

export interface SoakOptions {
  readonly seed: number;
  readonly ms: number;
  /** That ask at the same time. */
  readonly clients: number;
  /** Told of the counts now and then. */
  readonly onProgress?: (counts: Counts) => void;
}

export interface Counts {
  readonly requests: number;
  /** By verdict. */
  readonly verdicts: Readonly<Record<string, number>>;
  /** Clean errors, by status and code. */
  readonly errors: Readonly<Record<string, number>>;
  /** What must not be: each with its question. */
  readonly faults: readonly string[];
}

const REQUEST_TIMEOUT_MS = 10_000;
/** A machine that has much to do is not a gateway that hangs. */
const LONGEST_MS = REQUEST_TIMEOUT_MS + 5_000;
const PROGRESS_MS = 15_000;
const KEPT_FAULTS = 20;

/** Providers fail at random, each request in its own way and some for all; every client gets its exact answer or a clean error. */
export async function soak(options: SoakOptions): Promise<Counts> {
  let counts: Counts | null = null;
  const config = (simulators: readonly SimulatorProcess[]) => ({
    server: { requestTimeoutMs: REQUEST_TIMEOUT_MS, keepAliveCommentMs: 200, drainAborted: { maxMs: 1_000 } },
    timeouts: { connectMs: 2_000, firstTokenMs: 1_000, streamStallMs: 1_000 },
    health: {
      breaker: { consecutiveFailures: 5, windowMs: 5_000, cooldownMs: 300, maxCooldownMs: 1_000 },
      probes: { intervalMs: 500, timeoutMs: 1_000 },
    },
    providers: providersOn(simulators),
    models: MODELS.map(({ id, name, providers }) => ({
      id,
      endpoints: providers.map((provider) => endpointOf(provider, 'primary', name)),
    })),
  });
  await withStack({ simulators: 2, config }, async (stack) => {
    counts = await new Soak(stack, options).run();
    await idle(stack);
    for (const simulator of stack.simulators) {
      // Some are heard out after their clients have left, for a second at most.
      await eventually('no request to a provider is open', async () => (await simulator.stats()).openRequests === 0);
    }
  });
  if (counts === null) throw new Error('the soak has not run');
  return counts;
}

class Soak {
  readonly #stack: Stack;
  readonly #options: SoakOptions;
  readonly #endsAt: number;
  readonly #counts = {
    requests: 0,
    verdicts: {} as Record<string, number>,
    errors: {} as Record<string, number>,
    faults: [] as string[],
  };
  #number = 0;

  constructor(stack: Stack, options: SoakOptions) {
    this.#stack = stack;
    this.#options = options;
    this.#endsAt = Date.now() + options.ms;
  }

  async run(): Promise<Counts> {
    const { clients, seed, onProgress } = this.#options;
    const timer = setInterval(() => onProgress?.(this.#counts), PROGRESS_MS);
    try {
      const running = Array.from({ length: clients }, (_, i) => this.#client(new Random(seed * 1_000 + i)));
      await Promise.all([...running, this.#outages(new Random(seed))]);
    } finally {
      clearInterval(timer);
    }
    return this.#counts;
  }

  async #client(random: Random): Promise<void> {
    while (Date.now() < this.#endsAt) {
      const question = drawQuestion(random, this.#number++);
      const simulator = this.#stack.simulator(1);
      const [outcome, ...references] = await Promise.all([
        ask(this.#stack, question.request, { maxRetries: 0 }),
        ...question.references.map((request) => reference(simulator.url, request)),
      ]);
      this.#count(question, outcome, judge(question, outcome, references, LONGEST_MS));
    }
  }

  #count(question: Question, outcome: Outcome, verdict: Verdict): void {
    const { verdicts, errors, faults } = this.#counts;
    this.#counts.requests += 1;
    verdicts[verdict.kind] = (verdicts[verdict.kind] ?? 0) + 1;
    if (verdict.kind === 'clean_error') errors[verdict.code] = (errors[verdict.code] ?? 0) + 1;
    if ('why' in verdict && faults.length < KEPT_FAULTS) {
      faults.push(`${verdict.kind}, ${verdict.why}: ${JSON.stringify(question.request)}\n${told(outcome)}`);
    }
  }

  /** One provider at a time fails altogether, for some time. */
  async #outages(random: Random): Promise<void> {
    const hit = MODELS.filter(({ outages }) => outages);
    while (Date.now() < this.#endsAt) {
      const model = random.pick(hit);
      const provider: ProviderName = random.pick(model.providers);
      const simulator = this.#stack.simulator(PROVIDERS[provider].simulator);
      const match = { model: upstreamModel(provider, model.name) };
      const fault = random.pick([{ status: 503 }, { status: 429 }, { reset: 'before' }, { hang: true }]);
      const id = await simulator.fault({ match, fault });
      await pause(random.between(500, 2_000));
      await simulator.clearFaults(id);
      await pause(random.between(200, 1_000));
      // A long run would fill its memory.
      for (const one of this.#stack.simulators) await one.forget();
    }
  }
}

/** For people. */
export function summary({ requests, verdicts, errors }: Counts): string {
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  return `${requests} requests: ${list(verdicts)}${Object.keys(errors).length > 0 ? `; clean errors: ${list(errors)}` : ''}`;
}
