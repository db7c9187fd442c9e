import assert from 'node:assert/strict';
import { APIError } from 'openai';
import { type Gateway, type Outcome, told, type Usage } from './client.ts';
import { PRICES, type Side } from './providers.ts';
import type { Run } from './runs.ts';
import type { AttemptSeen, Failed, Whole } from './table.ts';
import { scaled } from './timing.ts';

type Received = Readonly<Record<Side, number>>;

/** The client has the exact answer, and metadata, bill and providers tell the same story of it. */
export function assertWhole(run: Run, expected: Whole, outcome: Outcome, received: Received, text: string): void {
  const { gateway, usage } = outcome;
  assert.equal(outcome.error, null, told(outcome));
  assert.equal(outcome.text, expected.silent ? '' : text, told(outcome));
  assert.equal(outcome.finishReason, expected.finishReason ?? 'stop');
  assert.equal(outcome.exchanges.length, 1, 'the SDK has nothing to try again');
  assert.ok(gateway !== null, told(outcome));
  assert.deepEqual(seenBy(run, gateway), expected.attempts, told(outcome));
  assert.equal(gateway.routing.totalProviderAttemptCount, expected.attempts.length);
  assert.deepEqual(received, count(expected.attempts), 'requests that the providers received');
  assert.equal(gateway.resumed ?? false, expected.resumed ?? false);
  assertTime(expected, outcome);
  assertNames(run, expected, outcome, gateway);
  assertBill(expected, usage, gateway);
  const [exchange] = outcome.exchanges;
  assert.equal(exchange?.raw.endsWith('data: [DONE]\n\n'), run.stream);
  // The head of a stream goes out with its first content, before anybody knows that another will end it.
  const begun = gateway.resumed ? run.pair.primary : gateway.routing.finalProvider;
  assert.equal(exchange?.headers.get('x-headgate-provider'), begun);
  assert.match(exchange?.headers.get('server-timing') ?? '', /gateway;dur=/);
}

function assertNames(run: Run, { byFallbackModel }: Whole, outcome: Outcome, gateway: Gateway): void {
  const model = byFallbackModel ? run.fallbackModel : run.model;
  const last = gateway.routing.attempts.at(-1);
  assert.deepEqual([...outcome.models], [model], "the public id, never a provider's own");
  assert.equal(gateway.routing.finalProvider, last?.provider);
  assert.equal(gateway.routing.resolvedProviderApiModelId, last?.providerApiModelId);
  assert.equal(gateway.routing.originalModelId, run.model);
}

/** What the answering attempt used, at its own price; failed attempts cost nothing. */
function assertBill({ attempts, estimated }: Whole, usage: Usage | null, { cost, usageSource }: Gateway): void {
  if (estimated) {
    assert.deepEqual([usageSource, cost, usage], ['estimated', undefined, null], 'what its provider says, or nothing');
    return;
  }
  assert.equal(usageSource, 'provider');
  assert.ok(usage !== null);
  const side = attempts.at(-1)?.[0] ?? 'primary';
  const { input, output } = PRICES[side];
  const dollars = usage.prompt_tokens * Number(input) + usage.completion_tokens * Number(output);
  assert.ok(usage.prompt_tokens > 0);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  assert.equal(Number(cost).toFixed(9), dollars.toFixed(9));
}

/** The client has an error that says what happened, with all that came before it, and nobody has been asked too often. */
export function assertFailed(run: Run, expected: Failed, outcome: Outcome, received: Received, text: string): void {
  const { error } = outcome;
  assert.ok(error instanceof APIError, told(outcome));
  assert.equal(error.constructor.name, expected.thrown, told(outcome));
  assert.equal(error.status, expected.status);
  assert.equal(error.type, expected.type);
  if (expected.code !== undefined) assert.equal(error.code, expected.code);
  assert.ok(error.message.length > 10);
  assert.equal(outcome.exchanges.length, 1, 'the SDK does not try again what the gateway has tried');
  assert.deepEqual(received, expected.received, 'requests that the providers received');
  assertTime(expected, outcome);
  const raw = outcome.exchanges[0]?.raw ?? '';
  if (expected.status !== undefined) {
    assert.equal(outcome.text, '');
    assert.deepEqual(Object.keys(JSON.parse(raw).error), ['message', 'type', 'param', 'code']);
    return;
  }
  assert.ok(run.stream);
  assert.ok(outcome.text !== '' && text.startsWith(outcome.text), `not a part of ${text}: ${outcome.text}`);
  assert.equal(outcome.finishReason, null);
  const frames = raw.split('\n\n').filter((frame) => frame !== '');
  assert.match(frames.at(-1) ?? '', /^data: \{"error":\{/);
  assert.equal(frames.filter((frame) => frame.startsWith('data: {"error"')).length, 1);
  assert.ok(!raw.includes('[DONE]'), 'an end is not a success');
}

function assertTime({ least }: Whole | Failed, { tookMs }: Outcome): void {
  if (least === undefined) return;
  // Timers may be a little early, by their clock's rounding.
  assert.ok(tookMs >= scaled(least) - 2, `it took ${tookMs} ms, at least ${scaled(least)} were expected`);
}

function seenBy({ pair }: Run, { routing }: Gateway): AttemptSeen[] {
  return routing.attempts.map(({ provider, success, statusCode, providerTimeout, error }) => {
    const side = provider === pair.primary ? 'primary' : 'secondary';
    if (success) return [side, 'ok'];
    assert.ok(error !== undefined && error !== '');
    if (providerTimeout) return [side, 'late'];
    return [side, statusCode ?? 'none'];
  });
}

function count(attempts: readonly AttemptSeen[]): Received {
  const of = (side: Side): number => attempts.filter(([one]) => one === side).length;
  return { primary: of('primary'), secondary: of('secondary') };
}
