import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { idle, metrics, total } from '../resilience/observe.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { assertFailed, assertWhole } from './checks.ts';
import { ask, type Outcome, reference } from './client.ts';
import { configFor, WARM_UP } from './configuration.ts';
import { upstreamModel } from './providers.ts';
import { RUNS, type Run } from './runs.ts';
import { TOKENS } from './table.ts';
import { SCALE } from './timing.ts';

/** Situations at one time: most of them wait most of the time, and at full length all of them do. */
const AT_ONCE = SCALE < 0.5 ? 16 : 48;

let stack: Stack;
const whole: { run: Run; outcome: Outcome }[] = [];

before(async () => {
  stack = await startStack({ simulators: 2, config: (simulators) => configFor(simulators) });
  await warmUp();
});

after(() => stack?.stop());

/** Each provider once, both ways: what runs for the first time takes long, and limits are short here. */
async function warmUp(): Promise<void> {
  const messages = [{ role: 'user', content: 'Good morning.' }];
  for (const model of WARM_UP.map(({ id }) => id)) {
    for (const stream of [true, false]) {
      const { error } = await ask(stack, { model, messages, stream });
      assert.equal(error, null);
    }
  }
}

async function play(run: Run): Promise<void> {
  for (const side of ['primary', 'secondary'] as const) {
    const { faults, simulator, name } = run.sides[side];
    // The newest rule wins, and the first fault is the first to happen.
    for (const { fault, times } of [...faults].reverse()) {
      await stack.simulator(simulator).fault({ match: { model: name }, fault, times: times ?? null });
    }
  }
  const messages = [{ role: 'user', content: `[[sim tokens=${TOKENS} tps=600]] Tell me about canals, ${run.id}.` }];
  const calm = await reference(stack.simulator(1).url, { messages });
  assert.ok(calm.text.length > TOKENS);
  const outcome = await ask(stack, { model: run.model, messages, stream: run.stream, ...run.request });
  const received = { primary: await receivedBy(run, 'primary'), secondary: await receivedBy(run, 'secondary') };
  if (run.expected.kind === 'failed') assertFailed(run, run.expected, outcome, received, calm.text);
  else {
    const { attempts, attemptsInMidSentence = attempts } = run.expected;
    const seen = /[\p{L}\p{N},]\s*$/u.test(calm.text) ? attemptsInMidSentence : attempts;
    assertWhole(run, { ...run.expected, attempts: seen }, outcome, received, calm.text);
    whole.push({ run, outcome });
  }
}

async function receivedBy({ sides }: Run, side: 'primary' | 'secondary'): Promise<number> {
  const { simulator, name, provider, fallback } = sides[side];
  const models = fallback ? [name, upstreamModel(provider, fallback)] : [name];
  const requests = await Promise.all(models.map((model) => stack.simulator(simulator).requests({ model })));
  return requests.flat().length;
}

describe(`the situations of DESIGN 6, times ${SCALE} of real`, { concurrency: AT_ONCE }, () => {
  for (const run of RUNS) test(`${run.title}`, () => play(run));
});

test('the bill: who answered is paid for what the client got, who refused or was silent is paid nothing', async () => {
  const samples = await metrics(stack);
  const billed = (model: string, provider: string, type: string) =>
    total(samples, 'gateway_tokens_total', {
      gen_ai_request_model: model,
      gateway_provider: provider,
      gateway_token_type: type,
    });
  let unpaid = 0;
  for (const { run, outcome } of whole) {
    const [model] = outcome.models;
    const { finalProvider, attempts } = outcome.gateway?.routing ?? { finalProvider: '', attempts: [] };
    const failed = attempts.filter(({ success }) => !success);
    // One that broke off behind content may well have cost something.
    const broken = failed.filter(({ statusCode }) => statusCode === 200).map(({ provider }) => provider);
    // Where its provider says nothing of the usage, its client is not told what is accounted.
    if (!broken.includes(finalProvider) && outcome.usage !== null) {
      const { prompt_tokens: input, completion_tokens: output } = outcome.usage;
      assert.equal(billed(model ?? '', finalProvider, 'input'), input, run.title);
      assert.equal(billed(model ?? '', finalProvider, 'output'), output, run.title);
    }
    for (const { provider } of failed) {
      if (provider === finalProvider || broken.includes(provider)) continue;
      assert.equal(billed(run.model, provider, 'input') + billed(run.model, provider, 'output'), 0, run.title);
      unpaid += 1;
    }
  }
  assert.ok(unpaid > 50, `${unpaid} failed attempts`);
});

test('nothing is left open', async () => {
  await idle(stack);
  for (const simulator of stack.simulators) assert.equal((await simulator.stats()).openRequests, 0);
});
