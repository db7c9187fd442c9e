import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually, metrics, total } from '../resilience/observe.ts';
import type { ReceivedRequest } from '../support/simulator-process.ts';
import { type Stack, withStack } from '../support/stack.ts';
import { ask, type Outcome, reference, told } from './client.ts';
import { limits } from './configuration.ts';
import { endpointOf, PROVIDERS, type ProviderName, providersOn, upstreamModel } from './providers.ts';
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
  const simulator = stack.simulator(PROVIDERS[primary].simulator);
  const model = upstreamModel(primary, 'o');
  const labels = { gateway_provider: primary, gateway_provider_model: model };
  const state = async () => total(await metrics(stack), 'headgate_endpoint_breaker_state', labels);
  const clients = [new Clients(stack, 4)];
  await simulator.received({ model, ended: true }, 8, 20_000);

  const began = Date.now();
  const down = await simulator.fault({ match: { model }, fault: { status: 503 } });
  if (probes) {
    // Nobody asks for anything any more: it is for control to find out.
    await eventually('the breaker is open', async () => (await state()) > 0, 15_000);
    await clients[0]?.stop();
  }
  await pause(scaled(OUTAGE_MS) - (Date.now() - began));
  await simulator.clearFaults(down);
  const ended = Date.now();
  await eventually('the breaker is closed', async () => (await state()) === 0, scaled(BACK_WITHIN_MS) + 1_000);
  const backMs = Date.now() - ended;
  clients.push(new Clients(stack, 1));
  await eventually('it answers again', () => clients[1]?.outcomes.some(isBy(primary)), 15_000);
  await Promise.all(clients.map((some) => some.stop()));

  const outcomes = clients.flatMap((some) => some.outcomes);
  for (const outcome of outcomes) {
    assert.equal(outcome.error, null, told(outcome));
    assert.equal(outcome.text, text, told(outcome));
    assert.equal(outcome.exchanges.length, 1);
  }
  assert.ok(outcomes.some(isBy(secondary)));
  assert.ok(clients[1]?.outcomes.every(isBy(primary)), 'it has its place again');
  assert.ok(backMs <= scaled(BACK_WITHIN_MS), `it is back after ${backMs} ms`);
  const asked = (await simulator.requests({ model })).filter(({ startedAt }) => startedAt >= began);
  const during = asked.filter(({ startedAt }) => startedAt < ended);
  assertSpared(during, ended - began);
  const byControl = asked.filter((request) => maxTokensOf(request) === 1);
  if (probes) assert.ok(byControl.length > 1, 'control has asked');
  else assert.equal(byControl.length, 0, 'control has not asked');
}

const isBy =
  (provider: string) =>
  ({ gateway }: Outcome): boolean =>
    gateway?.routing.finalProvider === provider;

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

const maxTokensOf = ({ body }: ReceivedRequest): number | undefined =>
  Number(/"max(?:_completion)?_?[tT]okens":(\d+)/.exec(JSON.stringify(body))?.[1]);

describe(`a 60 s outage and recovery, times ${SCALE} of real`, { concurrency: 2 }, () => {
  test('probes of control find out that it is back', () => outage('anthropic', 'openai', true));
  test('without probes one request at a time finds it out', () => outage('openai', 'anthropic', false));
});
