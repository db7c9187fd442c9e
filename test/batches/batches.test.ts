import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI, { APIError, toFile } from 'openai';
import { type Stack, startStack } from '../support/stack.ts';

/** `/v1/batches` as the SDK uses it, worked off by two embedders (WIRE 2.14). */

const PRICING = { input: '0.000001', output: '0.00001' };

/** `HEADGATE_TEST_KILLS=1`: 5,000 lines, and hundreds of kills; that takes a while. */
const FULL = process.env.HEADGATE_TEST_KILLS === '1';
const LINES = FULL ? 5_000 : 400;
const SLOW_MS = FULL ? 1_000 : 250;
const LEAST_KILLS = FULL ? 200 : 4;

let stack: Stack;

before(async () => {
  stack = await startStack({
    embedders: 2,
    redis: { persist: true },
    env: { HEADGATE_JOB_LOCK_MS: '2000' },
    config: ([simulator]) => ({
      auth: {
        keys: [
          { name: 'one', key: 'key-one' },
          { name: 'two', key: 'key-two' },
          { name: 'chatter', key: 'key-chatter', models: ['test/chat'] },
          { name: 'slow', key: 'key-slow', limits: { requestsPerMinute: 120 } },
          { name: 'poor', key: 'key-poor', budget: { usd: 0.00002, window: 'day', mode: 'hard' } },
        ],
      },
      batches: { maxOpenPerKey: 5, concurrency: 16 },
      providers: { openai: { dialect: 'openai', baseUrl: simulator?.baseUrl, apiKey: 'sk-test' } },
      models: [
        {
          id: 'test/embed',
          type: 'embedding',
          endpoints: [{ provider: 'openai', model: 'text-embedding-3-small', pricing: PRICING }],
        },
        { id: 'test/chat', endpoints: [{ provider: 'openai', model: 'gpt-4.1', pricing: PRICING }] },
      ],
    }),
  });
});
after(() => stack?.stop());

const clientOf = (key: string): OpenAI => new OpenAI({ apiKey: key, baseURL: stack.baseUrl, maxRetries: 0 });

type Endpoint = '/v1/embeddings' | '/v1/chat/completions';

const lineOf = (id: string, url: Endpoint, body: object): string =>
  JSON.stringify({ custom_id: id, method: 'POST', url, body });
const embedding = (id: string, input: unknown, more: object = {}): string =>
  lineOf(id, '/v1/embeddings', { model: 'test/embed', input, ...more });
const chat = (id: string, content: string, more: object = {}): string =>
  lineOf(id, '/v1/chat/completions', { model: 'test/chat', messages: [{ role: 'user', content }], ...more });

async function begin(key: string, lines: readonly string[], more: Partial<OpenAI.BatchCreateParams> = {}) {
  const client = clientOf(key);
  const file = await client.files.create({
    file: await toFile(Buffer.from(lines.join('\n')), 'in.jsonl'),
    purpose: 'batch',
  });
  const params = { input_file_id: file.id, endpoint: '/v1/embeddings', completion_window: '24h', ...more } as const;
  return client.batches.create(params);
}

async function ended(key: string, id: string, timeoutMs = 30_000): Promise<OpenAI.Batch> {
  // A Redis that writes everything to a busy disk may be slow for a moment; SDKs ask again.
  const patient = clientOf(key).withOptions({ maxRetries: 2 });
  for (const end = Date.now() + timeoutMs; Date.now() < end; await delay(50)) {
    const batch = await patient.batches.retrieve(id);
    if (['completed', 'failed', 'cancelled', 'expired'].includes(batch.status)) return batch;
  }
  throw new Error(`not in time: ${JSON.stringify(await clientOf(key).batches.retrieve(id))}`);
}

async function textOf(key: string, id: string | null | undefined): Promise<string> {
  return id ? (await clientOf(key).files.content(id)).text() : '';
}

interface Line {
  readonly custom_id: string;
  readonly response: { readonly status_code: number; readonly body: Record<string, never> } | null;
  readonly error: { readonly code: string } | null;
}

async function linesOf(key: string, id: string | null | undefined): Promise<Line[]> {
  const text = await textOf(key, id);
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
}

async function refusal(
  call: Promise<unknown>,
): Promise<readonly [number | undefined, string | null | undefined, string | null | undefined]> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof APIError, String(error));
    return [error.status, error.code, error.param];
  }
  throw new Error('it was not refused');
}

describe('a batch', () => {
  test('of embeddings: what the endpoint says line by line, in the order of the input', async () => {
    const texts = Array.from({ length: 130 }, (_, at) => `Text number ${at}.`);
    const lines = texts.map((text, at) => embedding(`e${at}`, at % 3 === 0 ? [text, `${text} twice`] : text));
    lines.splice(50, 0, embedding('bad', ''), embedding('unknown', 'x', { model: 'test/none' }));
    const made = await begin('key-one', lines, { metadata: { nightly: 'yes' } });
    assert.deepEqual([made.object, made.status, made.metadata], ['batch', 'validating', { nightly: 'yes' }]);
    const batch = await ended('key-one', made.id);
    assert.equal(batch.status, 'completed', JSON.stringify(batch));
    assert.deepEqual(batch.request_counts, { total: 132, completed: 130, failed: 2 });
    const output = await linesOf('key-one', batch.output_file_id);
    assert.deepEqual(
      output.map((line) => line.custom_id),
      texts.map((_, at) => `e${at}`),
    );
    for (const at of [0, 1, 129]) {
      const input = at % 3 === 0 ? [texts[at] ?? '', `${texts[at]} twice`] : (texts[at] ?? '');
      const direct = await fetch(`${stack.baseUrl}/embeddings`, {
        method: 'POST',
        headers: { authorization: 'Bearer key-one' },
        body: JSON.stringify({ model: 'test/embed', input }),
      });
      const { providerMetadata: _, ...expected } = (await direct.json()) as Record<string, unknown>;
      assert.deepEqual(output[at]?.response?.body, expected);
    }
    const errors = await linesOf('key-one', batch.error_file_id);
    assert.deepEqual(
      errors.map(({ custom_id, response, error }) => [custom_id, response?.status_code, error]),
      [
        ['bad', 400, null],
        ['unknown', 404, null],
      ],
    );
    const file = await clientOf('key-one').files.retrieve(batch.output_file_id ?? '');
    assert.equal(file.purpose, 'batch_output');
    assert.ok((batch.usage?.input_tokens ?? 0) > 130);
  });

  test('of chat, with a failing line and a key that may not use every model', async () => {
    const lines = [
      chat('hello', '[[sim tokens=12]] Hello.'),
      chat('refused', '[[sim status=400]] No.'),
      chat('tools', 'Weather?', {
        tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }],
        tool_choice: 'required',
      }),
      chat('forbidden', 'x', { model: 'test/embed' }),
    ];
    const made = await begin('key-chatter', lines, { endpoint: '/v1/chat/completions' });
    const batch = await ended('key-chatter', made.id);
    assert.equal(batch.status, 'completed', JSON.stringify(batch));
    assert.deepEqual(batch.request_counts, { total: 4, completed: 2, failed: 2 });
    const output = (await linesOf('key-chatter', batch.output_file_id)) as unknown as {
      response: { body: OpenAI.ChatCompletion };
    }[];
    assert.equal(output[0]?.response.body.usage?.completion_tokens, 12);
    assert.equal(output[1]?.response.body.choices[0]?.finish_reason, 'tool_calls');
    const errors = await linesOf('key-chatter', batch.error_file_id);
    assert.deepEqual(
      errors.map(({ custom_id, response }) => [custom_id, response?.status_code]),
      [
        ['refused', 400],
        ['forbidden', 403],
      ],
    );
    assert.ok((batch.usage?.output_tokens ?? 0) >= 12);
  });

  test('is accounted to its key, line by line', async () => {
    const today = new Date().toISOString().slice(0, 10);
    const report = async (): Promise<{ request_count: number; input_tokens: number }> => {
      const response = await fetch(`${stack.baseUrl}/report?start_date=${today}&end_date=${today}`, {
        headers: { authorization: 'Bearer key-two' },
      });
      const { results } = (await response.json()) as { results: { request_count: number; input_tokens: number }[] };
      return results[0] ?? { request_count: 0, input_tokens: 0 };
    };
    const made = await begin(
      'key-two',
      ['a', 'b', 'c'].map((id) => embedding(id, `Text ${id}`)),
    );
    const batch = await ended('key-two', made.id);
    for (const end = Date.now() + 10_000; Date.now() < end && (await report()).request_count < 3; ) await delay(100);
    const { request_count: count, input_tokens: tokens } = await report();
    assert.deepEqual([count, tokens], [3, batch.usage?.input_tokens]);
  });

  test('whose lines are wrong fails, and says which', async () => {
    const lines = [embedding('a', 'x'), '{"custom_id":', embedding('a', 'y'), chat('c', 'z')];
    const batch = await ended('key-one', (await begin('key-one', lines)).id);
    assert.equal(batch.status, 'failed');
    assert.deepEqual(
      batch.errors?.data?.map(({ code, line, param }) => [code, line, param]),
      [
        ['invalid_json_line', 2, null],
        ['duplicate_custom_id', 3, 'custom_id'],
        ['invalid_url', 4, 'url'],
      ],
    );
  });

  test('that is cancelled: partial results, and a word for every line', async () => {
    const lines = Array.from({ length: 60 }, (_, at) =>
      chat(`c${at}`, `[[sim tokens=5 ttft=${at < 5 ? 0 : 20_000}]] ${at}`),
    );
    const made = await begin('key-one', lines, { endpoint: '/v1/chat/completions' });
    for (const end = Date.now() + 10_000; Date.now() < end; await delay(50)) {
      if (((await clientOf('key-one').batches.retrieve(made.id)).request_counts?.completed ?? 0) >= 3) break;
    }
    assert.equal((await clientOf('key-one').batches.cancel(made.id)).status, 'cancelling');
    assert.equal((await clientOf('key-one').batches.cancel(made.id)).status, 'cancelling', 'twice is once');
    const batch = await ended('key-one', made.id);
    assert.equal(batch.status, 'cancelled');
    const [output, errors] = [
      await linesOf('key-one', batch.output_file_id),
      await linesOf('key-one', batch.error_file_id),
    ];
    assert.equal(output.length + errors.length, 60);
    assert.ok(output.length >= 3 && errors.every(({ error }) => error?.code === 'batch_cancelled'));
    assert.deepEqual(await refusal(clientOf('key-two').batches.cancel(made.id)), [404, 'batch_not_found', 'id']);
  });

  test('keeps to the limits of its key, and does not take them whole', async () => {
    const made = await begin(
      'key-slow',
      Array.from({ length: 125 }, (_, at) => embedding(`s${at}`, `slow ${at}`)),
    );
    let done = 0;
    for (const end = Date.now() + 8_000; Date.now() < end && done < 105; await delay(50)) {
      done = (await clientOf('key-slow').batches.retrieve(made.id)).request_counts?.completed ?? 0;
    }
    await delay(500);
    const { request_counts: counts, status } = await clientOf('key-slow').batches.retrieve(made.id);
    assert.equal(status, 'in_progress', JSON.stringify(counts));
    assert.ok((counts?.completed ?? 0) >= 100 && (counts?.completed ?? 0) < 120, JSON.stringify(counts));
    const answer = await clientOf('key-slow').embeddings.create({ model: 'test/embed', input: 'somebody waits' });
    assert.equal(answer.data.length, 1);
    await clientOf('key-slow').batches.cancel(made.id);
    assert.equal((await ended('key-slow', made.id)).status, 'cancelled');
  });

  test('says of each line that its budget does not suffice for', async () => {
    const made = await begin(
      'key-poor',
      Array.from({ length: 12 }, (_, at) => embedding(`p${at}`, 'four words and more')),
    );
    const batch = await ended('key-poor', made.id);
    const errors = await linesOf('key-poor', batch.error_file_id);
    assert.ok(errors.length > 0 && errors.every(({ response }) => response?.status_code === 402));
    assert.equal(batch.request_counts?.completed, 12 - errors.length);
  });
});

describe('what nobody should ask for', () => {
  const base = { endpoint: '/v1/embeddings', completion_window: '24h' } as const;
  const create = (body: object, key = 'key-one') =>
    refusal(clientOf(key).batches.create({ ...base, ...body } as OpenAI.BatchCreateParams));

  test('is refused with the name of the field', async () => {
    const file = await clientOf('key-one').files.create({
      file: await toFile(Buffer.from(embedding('a', 'x')), 'in.jsonl'),
      purpose: 'batch',
    });
    const other = await clientOf('key-one').files.create({
      file: await toFile(Buffer.from('x'), 'in.txt'),
      purpose: 'user_data',
    });
    const input_file_id = file.id;
    assert.deepEqual(await create({}), [400, 'missing_parameter', 'input_file_id']);
    assert.deepEqual(await create({ input_file_id: 'file-none' }), [400, 'file_not_found', 'input_file_id']);
    assert.deepEqual(await create({ input_file_id }, 'key-two'), [400, 'file_not_found', 'input_file_id']);
    assert.deepEqual(await create({ input_file_id: other.id }), [400, 'invalid_file_purpose', 'input_file_id']);
    assert.deepEqual(await create({ input_file_id, endpoint: '/v1/moderations' }), [400, 'invalid_value', 'endpoint']);
    assert.deepEqual(await create({ input_file_id, completion_window: '1h' }), [
      400,
      'invalid_value',
      'completion_window',
    ]);
    const metadata = Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 'v']));
    assert.deepEqual(await create({ input_file_id, metadata }), [400, 'invalid_value', 'metadata']);
    assert.deepEqual(await create({ input_file_id, metadata: { k: 7 } }), [400, 'invalid_value', 'metadata.k']);
    const soon = { anchor: 'created_at', seconds: 10 };
    assert.deepEqual(await create({ input_file_id, output_expires_after: soon }), [
      400,
      'invalid_value',
      'output_expires_after.seconds',
    ]);
    assert.deepEqual(await refusal(clientOf('key-one').batches.retrieve('batch_none')), [404, 'batch_not_found', 'id']);
    assert.deepEqual(await refusal(clientOf('nobody').batches.list()), [401, 'invalid_api_key', null]);
    assert.deepEqual(await refusal(clientOf('key-one').batches.list({ limit: 1_000 })), [
      400,
      'invalid_value',
      'limit',
    ]);
  });

  test('is not done twice for one idempotency key', async () => {
    const client = clientOf('key-two');
    const file = await client.files.create({
      file: await toFile(Buffer.from(embedding('a', 'x')), 'in.jsonl'),
      purpose: 'batch',
    });
    const options = { headers: { 'idempotency-key': 'nightly-1' } };
    const params = { ...base, input_file_id: file.id };
    const [first, second] = [
      await client.batches.create(params, options),
      await client.batches.create(params, options),
    ];
    assert.equal(first.id, second.id);
    assert.deepEqual(await refusal(client.batches.create({ ...params, metadata: { other: 'yes' } }, options)), [
      422,
      'idempotency_key_reused',
      'idempotency-key',
    ]);
    const listed: string[] = [];
    for await (const batch of client.batches.list({ limit: 1 })) listed.push(batch.id);
    assert.equal(listed.filter((id) => id === first.id).length, 1);
    assert.equal((await ended('key-two', first.id)).status, 'completed');
  });
});

test('embedders that are killed again and again lose no line and double none', async (t) => {
  const text = (at: number): string => `[[sim ttft=${SLOW_MS}]] Line ${at} of many.`;
  const lines = Array.from({ length: LINES }, (_, at) => embedding(`k${at}`, text(at), { dimensions: 8 }));
  const calm = await ended('key-one', (await begin('key-one', lines)).id, 600_000);
  assert.equal(calm.status, 'completed', JSON.stringify(calm));
  const disturbed = await begin('key-one', lines);
  let kills = 0;
  let over = false;
  const killing = (async () => {
    for (; !over; kills++) {
      const victim = `embedder ${kills % 2}` as const;
      await stack.kill(victim);
      await stack.start(victim);
      await delay(100);
    }
  })();
  const batch = await ended('key-one', disturbed.id, 3_600_000);
  over = true;
  await killing;
  t.diagnostic(`${kills} kills`);
  assert.deepEqual(batch.request_counts, { total: LINES, completed: LINES, failed: 0 });
  assert.ok(kills >= LEAST_KILLS, `${kills} kills`);
  assert.equal(
    await textOf('key-one', batch.output_file_id),
    await textOf('key-one', calm.output_file_id),
    'byte for byte',
  );
});

test('a batch outlives every service and Redis, restarted while it runs', async () => {
  const made = await begin(
    'key-one',
    Array.from({ length: 400 }, (_, at) => chat(`r${at}`, `[[sim tokens=4 ttft=30]] ${at}`)),
    {
      endpoint: '/v1/chat/completions',
    },
  );
  for (const end = Date.now() + 10_000; Date.now() < end; await delay(50)) {
    if (((await clientOf('key-one').batches.retrieve(made.id)).request_counts?.completed ?? 0) >= 20) break;
  }
  await stack.redis.restart();
  await stack.kill('embedder 0', 'SIGTERM');
  await stack.kill('ingress', 'SIGTERM');
  await stack.start('embedder 0');
  await stack.start('ingress');
  const batch = await ended('key-one', made.id, 60_000);
  assert.deepEqual(batch.request_counts, { total: 400, completed: 400, failed: 0 });
  const ids = (await linesOf('key-one', batch.output_file_id)).map((line) => line.custom_id);
  assert.deepEqual(
    ids,
    Array.from({ length: 400 }, (_, at) => `r${at}`),
  );
});
