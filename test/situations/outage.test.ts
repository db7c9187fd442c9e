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
/** The directive is no part of the conversation: everybody gets the same answer. */
const messagesOf = (asker: string) => [
  { role: 'user', content: `[[sim tokens=20 header-x-asked-as=${asker}]] What is the weather like?` },
];
let askers = 0;

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
      askers++;
      this.outcomes.push(await ask(stack, { model: MODEL, messages: messagesOf(`a${askers}`), stream }));
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
    async (stack) => {
      const clients: Clients[] = [];
      try {
        await survive(stack, clients, primary, secondary, probes);
      } finally {
        await Promise.all(clients.map((some) => some.stop()));
      }
    },
  );
}

/** `clients` are those that ask, and that will have to be stopped. */
async function survive(
  stack: Stack,
  clients: Clients[],
  primary: ProviderName,
  secondary: ProviderName,
  probes: boolean,
): Promise<void> {
  const { text } = await reference(stack.simulator(1).url, { messages: messagesOf('nobody') });
  const simulator = stack.simulator(PROVIDERS[primary].simulator);
  const model = upstreamModel(primary, 'o');
  const labels = { gateway_provider: primary, gateway_provider_model: model };
  const state = async () => total(await metrics(stack), 'headgate_endpoint_breaker_state', labels);
  clients.push(new Clients(stack, 4));
  await simulator.received({ model, ended: true }, 8, 20_000);

  const down = await simulator.fault({ match: { model }, fault: { status: 503 } });
  const began = Date.now();
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
  const byControl = asked.filter((request) => askerOf(request) === null);
  if (probes) assert.ok(byControl.length > 1, 'control has asked');
  else assert.equal(byControl.length, 0, 'control has not asked');
}

const isBy =
  (provider: string) =>
  ({ gateway }: Outcome): boolean =>
    gateway?.routing.finalProvider === provider;

/**
 * Once its breaker is open it is asked no oftener than once an interval. Requests that were under way at that moment may
 * still make their second try, and nobody makes one later.
 */
function assertSpared(asked: readonly ReceivedRequest[], lastedMs: number): void {
  const openedAt = asked.map(({ endedAt }) => endedAt ?? Infinity).sort(ascending)[FAILURES - 1] ?? Infinity;
  const cooldown = scaled(COOLDOWN_MS);
  const early = asked.filter(({ startedAt }) => startedAt <= openedAt + cooldown / 2);
  const askers = new Set(early.map(askerOf));
  const late = asked.filter((request) => !early.includes(request) && !askers.has(askerOf(request) ?? ''));
  const story = asked.map(
    ({ startedAt, ...request }) => `${startedAt - openedAt} ms by ${askerOf(request) ?? 'control'}`,
  );
  assert.ok(early.length <= FAILURES + UNDER_WAY, story.join(', '));
  const tries = Map.groupBy(asked.filter(askerOf), askerOf);
  for (const [, { length }] of tries) assert.ok(length <= 2, story.join(', '));

  const probes = late.map(({ startedAt }) => startedAt).sort(ascending);
  assert.ok(probes.length > 0, 'it is asked now and then');
  const most = Math.min(Math.ceil(lastedMs / cooldown), OUTAGE_MS / PROBE_INTERVAL_MS + 1);
  assert.ok(probes.length <= most, story.join(', '));
  for (const [i, time] of probes.entries()) {
    assert.ok(time - (probes[i - 1] ?? openedAt) >= cooldown * 0.8, story.join(', '));
  }
}

const ascending = (a: number, b: number): number => a - b;

/** Whose request of `ask` it is; null for control's. */
const askerOf = ({ body }: Pick<ReceivedRequest, 'body'>): string | null =>
  /header-x-asked-as=(\w+)/.exec(JSON.stringify(body))?.[1] ?? null;

describe(`a 60 s outage and recovery, times ${SCALE} of real`, { concurrency: 2 }, () => {
  test('probes of control find out that it is back', () => outage('anthropic', 'openai', true));
  test('without probes one request at a time finds it out', () => outage('openai', 'anthropic', false));
});
