import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, describe, it } from 'node:test';
import { endpointEntry, modelEntry, providerEntry } from '../catalog/entries.testing.ts';
import type { DrainPolicy, EndpointPricing, ModelEntry } from '../catalog/index.ts';
import { TokenCounter } from '../tokens/index.ts';
import { UpstreamPools } from '../upstream/index.ts';
import { LateUsage } from './late-usage.ts';
import {
  answers,
  completion,
  DONE,
  FINISH,
  fails,
  frame,
  planOf,
  ROLE,
  type Running,
  type RunOptions,
  run,
  type Script,
  ScriptedProvider,
  STREAM_END,
  STREAM_HEAD,
  says,
  silent,
  text,
  USAGE,
} from './scripted.testing.ts';

/** Eight words, each a token of its own. */
const WORDS = 'The water runs through the old mill slowly';
/** 'Hi', what frames it, and what frames the answer. */
const PROMPT = 8;
const TOLD = {
  promptTokens: 10,
  completionTokens: 5,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  reasoningTokens: null,
};
const PRICES: EndpointPricing = { input: '0.000001', output: '0.00001', inputCacheRead: null, inputCacheWrite: null };
const usage = (promptTokens: number, completionTokens: number) => ({ ...TOLD, promptTokens, completionTokens });

const pools = new UpstreamPools();
const started: ScriptedProvider[] = [];
const provider = async (...scripts: Script[]): Promise<ScriptedProvider> => {
  const one = await ScriptedProvider.start(...scripts);
  started.push(one);
  return one;
};
afterEach(() => {
  for (const one of started.splice(0)) one.stop();
});
after(() => pools.close());

interface Kind {
  readonly preset?: string;
  readonly dialect?: string;
  readonly pricing?: EndpointPricing | null;
  readonly model?: string;
}

/** One model, at these providers in their order. */
function served(providers: readonly ScriptedProvider[], kind: Kind = {}): ModelEntry {
  const { preset, dialect = 'openai', pricing = PRICES, model = 'up' } = kind;
  const endpoints = providers.map(({ baseUrl }, i) => {
    const entry = providerEntry(`p${i}`, {
      dialect,
      baseUrl: dialect === 'openai' ? baseUrl : baseUrl.slice(0, -3),
      credentials: { apiKey: 'topsecretcredential' },
      settings: preset === undefined ? {} : { preset },
    });
    const timeouts = { connectMs: 1_000, firstTokenMs: 5_000, streamStallMs: 5_000 };
    return endpointEntry(entry, model, { timeouts, pricing });
  });
  return modelEntry('m', endpoints, { contextWindow: 8_000, maxOutputTokens: 100 });
}

const leave = ({ relay, sink }: Running): void => {
  sink.gone = true;
  relay.clientGone();
};

/** Says something, and goes on when it is told to. */
function pausing(beginning: string, rest: string): { readonly script: Script; readonly goOn: () => void } {
  let goOn: () => void = () => undefined;
  return {
    script: (socket) => {
      socket.write(beginning);
      goOn = () => void socket.write(rest);
    },
    goOn: () => goOn(),
  };
}

const BEGINNING = STREAM_HEAD + ROLE + text(WORDS);
const REST = text(' and on') + FINISH + USAGE + DONE + STREAM_END;
const drain = (changes: Partial<DrainPolicy>): RunOptions => ({
  request: { drainAborted: { when: 'billed', maxMs: 5_000, maxConcurrent: 8, ...changes } },
});

/** A client that leaves once it has read something. */
async function aborted(script: Script, kind: Kind, options: RunOptions = {}) {
  const from = await provider(script);
  const running = run(pools, [served([from], kind)], options);
  const closed = once(from.events, 'closed');
  await once(running.sink.events, 'write');
  leave(running);
  return { running, closed, from };
}

describe('a client that leaves', () => {
  it('a provider that stops is cut off, and what it said is counted', async () => {
    const { running, closed } = await aborted(pausing(BEGINNING, REST).script, {});
    await closed;
    const { accounted, billed, usage: answered, clientAborted } = await running.settled;
    assert.equal(clientAborted, true);
    assert.equal(answered, null);
    assert.deepEqual(accounted, {
      usage: usage(PROMPT, 8),
      source: 'estimated',
      costUsd: '0.000088',
      marketCostUsd: '0.000088',
    });
    assert.equal(billed.length, 1);
    assert.deepEqual(running.observed[0]?.used, { usage: usage(PROMPT, 8), source: 'estimated' });
    assert.equal(running.outcomes.length, 1);
  });

  it('before anything was said, the prompt is counted: the provider is at work on it', async () => {
    for (const script of [silent, ((socket) => void socket.write(STREAM_HEAD)) satisfies Script]) {
      const from = await provider(script);
      const running = run(pools, [served([from])]);
      await once(from.events, 'request');
      leave(running);
      const { accounted } = await running.settled;
      assert.deepEqual([accounted?.usage, accounted?.source], [usage(PROMPT, 0), 'estimated']);
    }
  });

  it('a provider that would go on is heard out', async () => {
    const { script, goOn } = pausing(BEGINNING, REST);
    const { running, from } = await aborted(script, { preset: 'groq' });
    assert.equal(running.outcomes.length, 0, 'its account is open');
    assert.equal(from.sockets.size, 1);
    goOn();
    const { accounted, clientAborted } = await running.settled;
    assert.equal(clientAborted, true);
    assert.deepEqual(accounted, { usage: TOLD, source: 'drained', costUsd: '0.00006', marketCostUsd: '0.00006' });
    assert.deepEqual(running.observed[0]?.used, { usage: TOLD, source: 'drained' });
    assert.equal(running.observed[0]?.end?.errorType, 'client_aborted');
    assert.deepEqual(running.health.told, ['p0:up began', 'p0:up abandoned']);
  });

  it('and did not keep up, leaves nothing that holds the provider back', async () => {
    const { script, goOn } = pausing(BEGINNING, REST);
    const from = await provider(script);
    const running = run(pools, [served([from], { preset: 'groq' })]);
    running.sink.accepts = false;
    await once(running.sink.events, 'write');
    leave(running);
    goOn();
    assert.equal((await running.settled).accounted?.source, 'drained');
  });

  it('is waited for no longer than allowed', async () => {
    const { running, closed } = await aborted(
      pausing(BEGINNING, REST).script,
      { preset: 'groq' },
      drain({ maxMs: 30 }),
    );
    await closed;
    const { accounted } = await running.settled;
    assert.deepEqual([accounted?.usage, accounted?.source], [usage(PROMPT, 8), 'estimated']);
  });

  it('is one of so many at one time', async () => {
    const { script, goOn } = pausing(BEGINNING, REST);
    const lateUsage = new LateUsage(new TokenCounter({ timeoutMs: 15_000 }));
    const drainAborted: DrainPolicy = { when: 'billed', maxMs: 5_000, maxConcurrent: 1 };
    const options = { request: { lateUsage, drainAborted } };
    const first = await aborted(script, { preset: 'groq' }, options);
    const second = await aborted(pausing(BEGINNING, REST).script, { preset: 'groq' }, options);
    assert.equal((await second.running.settled).accounted?.source, 'estimated');
    goOn();
    assert.equal((await first.running.settled).accounted?.source, 'drained');
    const third = pausing(BEGINNING, REST);
    const { running } = await aborted(third.script, { preset: 'groq' }, options);
    third.goOn();
    assert.equal((await running.settled).accounted?.source, 'drained', 'room is made');
    await lateUsage.finish(0);
  });

  it('is heard out, or not, as the operator says, and where it costs something', async () => {
    const { script, goOn } = pausing(BEGINNING, REST);
    const { running } = await aborted(script, {}, drain({ when: 'always' }));
    goOn();
    assert.equal((await running.settled).accounted?.source, 'drained');
    const never = await aborted(pausing(BEGINNING, REST).script, { preset: 'groq' }, drain({ when: 'never' }));
    await never.closed;
    assert.equal((await never.running.settled).accounted?.source, 'estimated');
    const free = await aborted(pausing(BEGINNING, REST).script, { preset: 'groq', pricing: null });
    await free.closed;
    const { accounted } = await free.running.settled;
    assert.deepEqual([accounted?.source, accounted?.costUsd], ['estimated', null]);
  });

  it('of a whole answer: it is billed anyway, and heard out', async () => {
    let answer: () => void = () => undefined;
    const from = await provider((socket, request) => {
      answer = () => void answers(200, completion('late'))(socket, request);
    });
    const running = run(pools, [served([from])], { stream: false });
    await once(from.events, 'request');
    leave(running);
    answer();
    const { accounted } = await running.settled;
    assert.deepEqual([accounted?.usage, accounted?.source], [TOLD, 'drained']);
  });

  it('of an answer that the provider then refuses, has used nothing', async () => {
    let refuse: () => void = () => undefined;
    const from = await provider((socket, request) => {
      refuse = () => void fails(429)(socket, request);
    });
    const running = run(pools, [served([from])], { stream: false });
    await once(from.events, 'request');
    leave(running);
    refuse();
    assert.equal((await running.settled).accounted, null);
    assert.equal(running.observed[0]?.used, null);
    assert.equal(from.requests.length, 1, 'nobody else is asked');
  });

  it('when the provider had said all: that is taken', async () => {
    const { running } = await aborted(pausing(BEGINNING + FINISH + USAGE, DONE).script, {});
    const { accounted } = await running.settled;
    assert.deepEqual([accounted?.usage, accounted?.source], [TOLD, 'provider']);
  });

  it('while a broken stream is being taken up, pays for both', async () => {
    const cut: Script = (socket) => void socket.end(BEGINNING);
    const second = pausing(STREAM_HEAD + ROLE + text('The water runs'), '');
    const providers = [await provider(cut), await provider(second.script)];
    const running = run(pools, [served(providers)]);
    await once(running.sink.events, 'write');
    if (providers[1]?.requests.length === 0) await once(providers[1].events, 'request');
    await new Promise((resolve) => setTimeout(resolve, 30));
    leave(running);
    const { accounted, billed } = await running.settled;
    assert.deepEqual(
      billed.map(({ planned, usage: used }) => [planned.endpoint.provider.name, used.output]),
      [
        ['p0', 8],
        ['p1', 3],
      ],
    );
    assert.deepEqual([accounted?.usage, accounted?.source], [usage(2 * PROMPT, 11), 'estimated']);
  });
});

describe('an attempt that fails', () => {
  const cut: Script = (socket) => void socket.end(BEGINNING);

  it('behind content that its client has, has used that', async () => {
    const running = run(pools, [served([await provider(cut)])]);
    const { error, usage: answered, accounted } = await running.settled;
    assert.equal(error?.failure, 'stream_broken');
    assert.equal(running.sink.errorFrame?.code, 'stream_broken');
    assert.equal(answered, null);
    assert.deepEqual([accounted?.usage, accounted?.source], [usage(PROMPT, 8), 'estimated']);
    assert.deepEqual(running.observed[0]?.used?.usage, usage(PROMPT, 8));
  });

  it('and is taken up, costs beside the answer, which costs its client what it cost alone', async () => {
    const again = says(`${WORDS} and on`);
    const running = run(pools, [served([await provider(cut), await provider(again)])], {
      request: { metadataAtTop: true },
    });
    const { error, usage: answered, accounted, billed, resumed } = await running.settled;
    assert.deepEqual([error, resumed], [null, true]);
    assert.deepEqual(answered, TOLD);
    assert.deepEqual(billed.map(({ source, costUsd: cost }) => [source, cost]).toSorted(), [
      ['estimated', '0.000088'],
      ['provider', '0.00006'],
    ]);
    assert.deepEqual(accounted, {
      usage: usage(10 + PROMPT, 5 + 8),
      source: 'estimated',
      costUsd: '0.000148',
      marketCostUsd: '0.000148',
    });
    const { gateway } = metadataOf(running);
    assert.deepEqual([gateway.cost, gateway.usageSource], ['0.00006', 'provider']);
  });

  it('in the middle of a whole answer that was asked for as a stream, has used what it said', async () => {
    const running = run(pools, [served([await provider(cut), await provider(answers(200, completion('Hello')))])], {
      stream: false,
    });
    const { error, usage: answered, accounted } = await running.settled;
    assert.equal(error, null);
    assert.deepEqual(answered, TOLD);
    assert.deepEqual(accounted?.usage, usage(10 + PROMPT, 5 + 8));
  });

  it('in the middle of a whole answer, has used its length', async () => {
    const torn: Script = (socket) =>
      void socket.end(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n${'x'.repeat(400)}`,
      );
    const running = run(pools, [served([await provider(torn)])], { stream: false });
    const { accounted } = await running.settled;
    // It had its second chance.
    assert.deepEqual([accounted?.usage, accounted?.source], [usage(2 * PROMPT, 200), 'estimated']);
  });

  it('before any content costs nothing', async () => {
    for (const script of [fails(500), fails(401), (socket) => void socket.end(STREAM_HEAD + ROLE)] satisfies Script[]) {
      const running = run(pools, [served([await provider(script), await provider(says('Hello'))])]);
      const { billed, accounted } = await running.settled;
      assert.equal(billed.length, 1);
      assert.deepEqual(accounted, { usage: TOLD, source: 'provider', costUsd: '0.00006', marketCostUsd: '0.00006' });
    }
  });

  it('and all others with it, has no account', async () => {
    const running = run(pools, [served([await provider(fails(400))])]);
    const { billed, accounted } = await running.settled;
    assert.deepEqual([billed, accounted], [[], null]);
  });

  it('by saying nothing, has used what it says it has', async () => {
    const empty: Script = (socket) => void socket.write(STREAM_HEAD + ROLE + FINISH + USAGE + DONE + STREAM_END);
    for (const [stream, second] of [
      [true, says('Hello')],
      [false, answers(200, completion('Hello'))],
    ] as const) {
      const running = run(pools, [served([await provider(empty), await provider(second)])], { stream });
      const { accounted, billed } = await running.settled;
      assert.equal(billed.length, 2);
      assert.deepEqual([accounted?.usage, accounted?.source], [usage(20, 10), 'provider']);
      assert.deepEqual(running.observed[0]?.used, { usage: TOLD, source: 'provider' });
    }
    const whole = [await provider(answers(200, completion(null))), await provider(answers(200, completion('Hello')))];
    const body = { modalities: ['text', 'audio'] };
    const running = run(pools, [served(whole)], { stream: false, body });
    assert.deepEqual((await running.settled).accounted?.usage, usage(20, 10));
  });

  it('because its time is over, may still be at work', async () => {
    let answer: () => void = () => undefined;
    const from = await provider((socket, request) => {
      answer = () => void answers(200, completion('late'))(socket, request);
    });
    const request = { timeoutMs: 60, answerWithinMs: 60 };
    const running = run(pools, [served([from])], { stream: false, request });
    await once(running.sink.events, 'ended');
    assert.equal(running.sink.error?.code, 'deadline_exceeded');
    assert.equal(running.outcomes.length, 0);
    answer();
    const { accounted, error } = await running.settled;
    assert.equal(error?.code, 'deadline_exceeded');
    assert.deepEqual([accounted?.usage, accounted?.source], [TOLD, 'drained']);
  });
});

describe('a provider that does not say what an answer used', () => {
  const untold = STREAM_HEAD + ROLE + text(WORDS) + FINISH + DONE + STREAM_END;

  it('at the end of a stream: its client is told nothing, the account an estimate, marked as one', async () => {
    const from = await provider((socket) => void socket.write(untold));
    const body = { stream_options: { include_usage: true } };
    const running = run(pools, [served([from])], { body });
    const { usage: answered, accounted } = await running.settled;
    assert.equal(answered, null);
    assert.deepEqual(
      [accounted?.usage, accounted?.source, accounted?.costUsd],
      [usage(PROMPT, 8), 'estimated', '0.000088'],
    );
    assert.equal(running.sink.content, WORDS);
    assert.equal(running.sink.frames.at(-1), '[DONE]');
    assert.ok(running.sink.frames.slice(0, -1).every((data) => !JSON.parse(data).usage));
    const { gateway } = metadataOf(running);
    assert.deepEqual([gateway.usageSource, gateway.cost], ['estimated', undefined]);
  });

  it('in a whole answer', async () => {
    const { usage: _, ...rest } = completion(WORDS) as { usage: object };
    for (const body of [rest, { ...rest, usage: null }]) {
      const running = run(pools, [served([await provider(answers(200, body))])], { stream: false });
      const { accounted } = await running.settled;
      const answer = JSON.parse(running.sink.body ?? '');
      assert.equal(answer.usage ?? null, null);
      assert.equal(answer.choices[0].message.provider_metadata.gateway.usageSource, 'estimated');
      assert.deepEqual([accounted?.usage, accounted?.source], [usage(PROMPT, 8), 'estimated']);
    }
  });

  it('does not keep its client waiting for the count', async () => {
    // The vocabulary is yet to be loaded.
    const lateUsage = new LateUsage(new TokenCounter({ timeoutMs: 15_000 }));
    const from = await provider((socket) => void socket.write(untold));
    const running = run(pools, [served([from])], { request: { lateUsage } });
    await once(running.sink.events, 'ended');
    assert.deepEqual([running.outcomes.length, lateUsage.open], [0, 1]);
    leave(running);
    const { accounted, clientAborted } = await running.settled;
    assert.equal(clientAborted, false);
    assert.deepEqual(accounted?.usage, usage(PROMPT, 8));
    await lateUsage.finish(10);
    assert.equal(running.outcomes.length, 1);
  });
});

describe('what a provider tells on the way', () => {
  it('is taken for the prompt; its first word on the answer is not its last', async () => {
    const begun = [
      {
        type: 'message_start',
        message: {
          id: 'a',
          model: 'claude',
          role: 'assistant',
          content: [],
          usage: { input_tokens: 100, cache_read_input_tokens: 20, output_tokens: 1 },
        },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: WORDS } },
    ].map((data) => sse(data.type, data));
    const from = await provider((socket) => void socket.write(STREAM_HEAD + begun.join('')));
    const running = run(pools, [served([from], { dialect: 'anthropic' })], { body: { max_tokens: 50 } });
    await once(running.sink.events, 'write');
    leave(running);
    const { accounted } = await running.settled;
    assert.deepEqual(accounted?.usage, { ...usage(120, 8), cacheReadTokens: 20 });
  });

  it('is all there is to know where it counts what was said until then', async () => {
    const chunk = {
      candidates: [{ content: { role: 'model', parts: [{ text: WORDS }] }, index: 0 }],
      usageMetadata: { promptTokenCount: 33, candidatesTokenCount: 4, thoughtsTokenCount: 7, totalTokenCount: 44 },
    };
    const from = await provider((socket) => void socket.write(STREAM_HEAD + frame(chunk)));
    const running = run(pools, [served([from], { dialect: 'gemini' })], drain({ when: 'never' }));
    await once(running.sink.events, 'write');
    leave(running);
    const { accounted } = await running.settled;
    assert.deepEqual([accounted?.usage, accounted?.source], [{ ...usage(33, 11), reasoningTokens: 7 }, 'estimated']);
  });

  it('is counted in the words of the model', async () => {
    const { running } = await aborted(pausing(BEGINNING, REST).script, { model: 'llama-3.3-70b' });
    assert.deepEqual((await running.settled).accounted?.usage, usage(9, 9));
  });

  it('tools and thoughts count as well', async () => {
    const call = { index: 0, id: 'c1', type: 'function', function: { name: 'mill', arguments: '{"a":1}' } };
    const chunks = [{ reasoning: WORDS }, { tool_calls: [call] }].map((delta) =>
      frame({
        id: 'up',
        object: 'chat.completion.chunk',
        created: 1,
        model: 'up',
        choices: [{ index: 0, delta, finish_reason: null }],
      }),
    );
    const { running } = await aborted(pausing(STREAM_HEAD + ROLE + chunks.join(''), REST).script, {});
    const { accounted } = await running.settled;
    assert.equal(accounted?.usage.reasoningTokens, 8);
    assert.ok((accounted?.usage.completionTokens ?? 0) > 8 + 3);
  });
});

describe("a caller's own credential", () => {
  it('costs the gateway nothing, whatever it costs', async () => {
    const from = await provider(says('Hello'));
    const model = served([from]);
    const running = run(pools, [model], { request: { plan: planOf([model], { credentialType: 'byok' }) } });
    const { accounted } = await running.settled;
    assert.deepEqual([accounted?.costUsd, accounted?.marketCostUsd], ['0', '0.00006']);
  });
});

describe('at the end of a process', () => {
  it('what is still heard out is cut short and estimated', async () => {
    const lateUsage = new LateUsage(new TokenCounter({ timeoutMs: 15_000 }));
    const options = {
      request: { lateUsage, drainAborted: { when: 'always', maxMs: 60_000, maxConcurrent: 8 } },
    } as const;
    const { running, closed } = await aborted(pausing(BEGINNING, REST).script, {}, options);
    assert.equal(lateUsage.open, 1);
    await lateUsage.finish(10);
    await closed;
    assert.equal(lateUsage.open, 0);
    assert.equal(running.outcomes[0]?.accounted?.source, 'estimated');
    await lateUsage.finish(10);
  });
});

const sse = (name: string, data: object): string => {
  const event = `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
  return `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`;
};

interface Gateway {
  readonly cost?: string;
  readonly usageSource?: string;
}

function metadataOf({ sink }: Running): { gateway: Gateway } {
  const found = sink.frames
    .filter((data) => data.startsWith('{'))
    .map((data) => JSON.parse(data).choices?.[0]?.delta?.provider_metadata)
    .find((metadata) => metadata !== undefined);
  assert.ok(found);
  return found;
}
