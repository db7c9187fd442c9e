import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import OpenAI, { APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { idle } from '../resilience/observe.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { endpointOf, PROVIDERS, type ProviderName, providersOn, type Side, upstreamModel } from './providers.ts';

/**
 * How long the clients wait. The SDK tells whole seconds, and only where a single call says so: these times are not scaled,
 * and what is left of the third second is for machines that have much to do.
 */
const PATIENCE_MS = 2_900;
/** Far beyond it. */
const FOR_EVER_MS = 60_000;

const SIDES: Readonly<Record<Side, ProviderName>> = { primary: 'anthropic', secondary: 'openai' };

interface Case {
  readonly name: string;
  /** Directives for each provider; null: it is well. */
  readonly faults: Readonly<Record<Side, string | null>>;
  /** What each receives before the client has its answer, or leaves. */
  readonly received: Readonly<Record<Side, number>>;
}

/** Nothing here can be answered in time. */
const HOPELESS: readonly (Case & { readonly status: number })[] = [
  {
    name: 'no provider answers',
    faults: { primary: 'hang', secondary: 'hang' },
    received: { primary: 1, secondary: 1 },
    status: 504,
  },
  {
    name: 'the second provider is slow, too',
    faults: { primary: 'status=401', secondary: `ttft=${FOR_EVER_MS}` },
    received: { primary: 1, secondary: 1 },
    status: 504,
  },
  {
    name: 'both want to be left alone for longer',
    faults: { primary: 'status=429 retry-after=30', secondary: 'status=429 retry-after=30' },
    received: { primary: 1, secondary: 1 },
    status: 429,
  },
];

/** The client leaves as soon as these have been received. */
const LEFT: readonly Case[] = [
  {
    name: 'during the second provider’s attempt',
    faults: { primary: 'status=403', secondary: 'hang' },
    received: { primary: 1, secondary: 1 },
  },
  {
    name: 'while it waits for a rate limit to pass',
    faults: { primary: 'status=429 retry-after=1', secondary: 'status=429 retry-after=1' },
    received: { primary: 1, secondary: 1 },
  },
  {
    name: 'while the second provider goes on with a broken stream',
    faults: { primary: 'cut=10', secondary: 'stall=15' },
    received: { primary: 1, secondary: 1 },
  },
];

let stack: Stack;

const idOf = (kind: string, number: number, stream: boolean): string =>
  `${kind}${number}-${stream ? 'stream' : 'whole'}`;

const IDS = [true, false].flatMap((stream) => [
  ...HOPELESS.map((_, number) => idOf('hopeless', number, stream)),
  ...LEFT.map((_, number) => idOf('left', number, stream)),
]);

before(async () => {
  stack = await startStack({
    simulators: 2,
    config: (simulators) => ({
      // Nobody is heard out here for what it bills: whoever is left is left at once.
      server: { requestTimeoutMs: FOR_EVER_MS, drainAborted: { when: 'never' } },
      timeouts: { firstTokenMs: 700, streamStallMs: 10_000 },
      providers: providersOn(simulators, Object.values(SIDES)),
      models: IDS.map((id) => ({
        id: `test/${id}`,
        endpoints: [endpointOf(SIDES.primary, 'primary', id), endpointOf(SIDES.secondary, 'secondary', id)],
      })),
    }),
  });
});

after(() => stack?.stop());

function start(id: string, { faults }: Case, stream: boolean, signal?: AbortSignal): Promise<string> {
  const client = new OpenAI({ apiKey: stack.key, baseURL: stack.baseUrl, maxRetries: 0 });
  const trouble = (['primary', 'secondary'] as const).map((side) =>
    faults[side] === null ? '' : `[[sim ${faults[side]} for=${upstreamModel(SIDES[side], id)}]]`,
  );
  const messages = [{ role: 'user' as const, content: `${trouble.join('')}[[sim tokens=60]] Who tends the lock?` }];
  const body = { model: `test/${id}`, messages };
  return stream ? readStream(client, body, signal) : readWhole(client, body, signal);
}

type Body = Pick<OpenAI.ChatCompletionCreateParams, 'model' | 'messages'>;

async function readStream(client: OpenAI, body: Body, signal: AbortSignal | undefined): Promise<string> {
  let text = '';
  const stream = await client.chat.completions.create(
    { ...body, stream: true },
    { signal: signal ?? null, timeout: PATIENCE_MS },
  );
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  // The SDK ends a stream that its caller has left as if it had come to its end.
  signal?.throwIfAborted();
  return text;
}

async function readWhole(client: OpenAI, body: Body, signal: AbortSignal | undefined): Promise<string> {
  const { choices } = await client.chat.completions.create(body, { signal: signal ?? null, timeout: PATIENCE_MS });
  return choices[0]?.message.content ?? '';
}

async function receivedBy(id: string): Promise<Record<Side, number>> {
  const of = async (side: Side): Promise<number> => {
    const model = upstreamModel(SIDES[side], id);
    return (await stack.simulator(PROVIDERS[SIDES[side]].simulator).requests({ model })).length;
  };
  return { primary: await of('primary'), secondary: await of('secondary') };
}

async function untilReceived(id: string, received: Case['received']): Promise<void> {
  for (const side of ['primary', 'secondary'] as const) {
    const simulator = stack.simulator(PROVIDERS[SIDES[side]].simulator);
    await simulator.received({ model: upstreamModel(SIDES[side], id) }, received[side]);
  }
}

describe('clients that do not wait for ever', { concurrency: true }, () => {
  for (const stream of [true, false]) {
    const form = stream ? 'stream' : 'JSON';
    for (const [number, one] of HOPELESS.entries()) {
      test(`${one.name}: told so before the client gives up, ${form}`, async () => {
        const id = idOf('hopeless', number, stream);
        await assert.rejects(start(id, one, stream), (error) => {
          assert.ok(error instanceof APIError && !(error instanceof APIConnectionTimeoutError), String(error));
          assert.equal(error.status, one.status, error.message);
          return true;
        });
        assert.deepEqual(await receivedBy(id), one.received);
      });
    }

    for (const [number, one] of LEFT.entries()) {
      test(`a client leaves ${one.name}: every attempt ends, and none begins, ${form}`, async () => {
        const id = idOf('left', number, stream);
        const leaving = new AbortController();
        const answer = start(id, one, stream, leaving.signal);
        const left = assert.rejects(answer, (error) => error === leaving.signal.reason || isAbort(error));
        await untilReceived(id, one.received);
        leaving.abort();
        await left;
      });
    }
  }
});

const isAbort = (error: unknown): boolean => error instanceof APIUserAbortError;

test('nobody has been asked after the clients had left, and nothing is left open', async () => {
  await idle(stack);
  for (const simulator of stack.simulators) assert.equal((await simulator.stats()).openRequests, 0);
  for (const stream of [true, false]) {
    for (const [number, { name, received }] of LEFT.entries()) {
      assert.deepEqual(await receivedBy(idOf('left', number, stream)), received, name);
    }
  }
});
