import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { ReceivedRequest } from '../support/simulator-process.ts';
import { type Stack, withStack } from '../support/stack.ts';
import { ask, type Outcome, reference, told } from './client.ts';
import { limits } from './configuration.ts';
import { endpointOf, type ProviderName, providersOn, upstreamModel } from './providers.ts';
import { SCALE, scaled } from './timing.ts';

/** Real milliseconds, as all times here. */
const OUTAGE_MS = 60_000;
const BACK_WITHIN_MS = 30_000;
/** Between two requests of a client. */
const PACE_MS = 1_500;
const COOLDOWN_MS = 5_000;
const PROBE_INTERVAL_MS = 10_000;
/** Requests in a row that open a breaker, and the second tries that those under way at that moment may make. */
const FAILURES = 5;
const UNDER_WAY = 4;

const MODEL = 'test/outage';
const MESSAGES = [{ role: 'user', content: '[[sim tokens=20]] What is the weather like?' }];

/** Clients that ask one after the other without a break, in streams and whole. */
class Clients {
  readonly outcomes: Outcome[] = [];
  readonly #running: Promise<void>[];
  #stopping = false;

  constructor(stack: Stack, count: number) {
    this.#running = Array.from({ length: count }, (_, i) => this.#run(stack, i % 2 === 0));
  }

  async #run(stack: Stack, stream: boolean): Promise<void> {
    while (!this.#stopping) {
      this.outcomes.push(await ask(stack, { model: MODEL, messages: MESSAGES, stream }));
      await pause(scaled(PACE_MS));
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
  }
}

async function outage(primary: ProviderName, secondary: ProviderName, probes: boolean): Promise<void> {
  const { health, ...rest } = limits();
  const config = {
    ...rest,
    health: {
      breaker: { ...health.breaker, consecutiveFailures: FAILURES },
      probes: { ...health.probes, enabled: probes },
    },
  };
  await withStack(
    {
      simulators: 2,
      processes: 2,
      config: (simulators) => ({
        ...config,
        providers: providersOn(simulators, [primary, secondary]),
        models: [
          { id: MODEL, endpoints: [endpointOf(primary, 'primary', 'o'), endpointOf(secondary, 'secondary', 'o')] },
        ],
      }),
    },
    (stack) => survive(stack, primary, secondary, probes),
  );
}

async function survive(stack: Stack, primary: ProviderName, secondary: ProviderName, probes: boolean): Promise<void> {
  const { text } = await reference(stack.simulator(1).url, { messages: MESSAGES });
  const simulator = stack.simulators.find(({ url }) =>
    JSON.stringify(providersOn(stack.simulators, [primary])).includes(url),
  );
  assert.ok(simulator);
  const model = upstreamModel(primary, 'o');
  const clients = new Clients(stack, 4);
  await simulator.received({ model, ended: true }, 8, 20_000);

  const began = Date.now();
  const down = await simulator.fault({ match: { model }, fault: { status: 503 } });
  await pause(scaled(OUTAGE_MS));
  await simulator.clearFaults(down);
  const ended = Date.now();
  const asked = (await simulator.requests({ model })).filter(({ startedAt }) => startedAt >= began);
  const answered = await firstAnswer(simulator.requests.bind(simulator), model, ended);
  await backAt(clients, primary, ended);
  const backMs = Date.now() - ended;
  await clients.stop();

  for (const outcome of clients.outcomes) {
    assert.equal(outcome.error, null, told(outcome));
    assert.equal(outcome.text, text, told(outcome));
    assert.equal(outcome.exchanges.length, 1);
  }
  const by = (provider: string) =>
    clients.outcomes.filter(({ gateway }) => gateway?.routing.finalProvider === provider);
  assert.ok(by(primary).length > 0 && by(secondary).length > 0);
  assertSpared(asked, ended - began);
  assert.ok(backMs <= scaled(BACK_WITHIN_MS), `it has its place again after ${backMs} ms`);
  assert.equal(maxTokensOf(answered) === 1, probes, 'who found out that it is back');
}

/** Once its breaker is open it is asked no oftener than once an interval. */
function assertSpared(asked: readonly ReceivedRequest[], lastedMs: number): void {
  const times = asked.map(({ startedAt }) => startedAt).sort((a, b) => a - b);
  const opened = times.findIndex(
    (time, i) => i >= FAILURES - 1 && (times[i + 1] ?? Infinity) - time >= scaled(COOLDOWN_MS) * 0.8,
  );
  assert.ok(opened >= 0 && opened < FAILURES + UNDER_WAY, `${opened + 1} requests until it was left alone: ${times}`);
  const probes = times.slice(opened + 1);
  assert.ok(probes.length > 0, 'it is asked now and then');
  const most = Math.ceil(lastedMs / scaled(COOLDOWN_MS));
  assert.ok(probes.length <= Math.min(most, OUTAGE_MS / PROBE_INTERVAL_MS + 1), `${probes.length} probes`);
  for (let i = opened; i + 1 < times.length; i++) {
    const gap = (times[i + 1] ?? 0) - (times[i] ?? 0);
    assert.ok(gap >= scaled(COOLDOWN_MS) * 0.8, `two probes within ${gap} ms`);
  }
}

/** What it was first asked when it was up again. */
async function firstAnswer(
  requests: (filter: { model: string; ended: boolean }) => Promise<readonly ReceivedRequest[]>,
  model: string,
  since: number,
): Promise<ReceivedRequest> {
  for (const deadline = Date.now() + scaled(BACK_WITHIN_MS) + 5_000; Date.now() < deadline; await pause(10)) {
    const all = await requests({ model, ended: true });
    const first = all.filter(({ startedAt }) => startedAt >= since).sort((a, b) => a.startedAt - b.startedAt)[0];
    if (first) return first;
  }
  throw new Error('nobody has asked it since it is up again');
}

async function backAt(clients: Clients, provider: string, since: number): Promise<void> {
  const asked = clients.outcomes.length;
  const isBack = ({ gateway }: Outcome) => gateway?.routing.finalProvider === provider;
  for (const deadline = since + scaled(BACK_WITHIN_MS) + 5_000; Date.now() < deadline; await pause(10)) {
    if (clients.outcomes.slice(asked).filter(isBack).length >= 2) return;
  }
  throw new Error(`${provider} has not come back`);
}

const maxTokensOf = ({ body }: ReceivedRequest): number | undefined =>
  Number(/"max(?:_completion)?_?[tT]okens":(\d+)/.exec(JSON.stringify(body))?.[1]);

describe(`a 60 s outage and recovery, times ${SCALE} of real`, { concurrency: 2 }, () => {
  test('probes of control find out that it is back', () => outage('anthropic', 'openai', true));
  test('without probes one request at a time finds it out', () => outage('openai', 'anthropic', false));
});
