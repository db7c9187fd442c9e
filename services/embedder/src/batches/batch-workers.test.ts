import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Batch, BatchJobs, BatchStore, isEnded, type LineRequest, NO_USAGE } from '@headgate/core/batches';
import { DEFAULT_BATCHES, DEFAULT_FILES } from '@headgate/core/catalog';
import { StoredFiles } from '@headgate/core/files';
import { createQueueConnection, type RedisClient, redisKeys } from '@headgate/core/redis';
import { Metrics } from '@headgate/core/telemetry';
import { type RedisServer, startRedisServer } from '@headgate/core/testing/redis';
import { BatchWorkers, type LineOutcome, type RunLine } from './index.ts';

const PREFIX = 'test';
const OWNER = 'owner';
const log = { info() {}, warn() {}, error() {}, debug() {} };

let server: RedisServer;
let client: RedisClient;
let store: BatchStore;
let policy = DEFAULT_FILES;
let jobs: BatchJobs;
let files: StoredFiles;
let workers: BatchWorkers[] = [];

before(async () => {
  server = await startRedisServer({ persist: true });
  client = createQueueConnection(server.url, 'test');
  if (client.status !== 'ready') await once(client, 'ready');
  const keys = redisKeys(PREFIX);
  store = new BatchStore(client, keys);
  jobs = new BatchJobs(client, keys, () => undefined);
  files = new StoredFiles({ client, keys, policy: () => policy, log });
});
afterEach(async () => {
  await Promise.all(workers.map((one) => one.stop(100)));
  workers = [];
});
after(async () => {
  await jobs.close();
  client.disconnect();
  await server.stop();
});

type Answer = (request: LineRequest, signal: AbortSignal) => Promise<LineOutcome>;

const running =
  (answer: Answer): RunLine =>
  async (request, _requestId, signal, keep) =>
    keep(await answer(request, signal));

/** Says what it was asked, unless the text says what else is to happen. */
const echo: Answer = async ({ body, customId }, signal) => {
  const input = String(body.input);
  if (input.startsWith('wait')) await delay(Number(input.slice(4)), null, { signal }).catch(() => undefined);
  if (signal.aborted) return { waitMs: 1 };
  const status = input === 'bad' ? 400 : 200;
  const usage = { ...NO_USAGE, inputTokens: 2 };
  return { answer: { status, body: JSON.stringify({ of: customId, input }), usage } };
};

function work(answer: Answer = echo, more: { readonly runnerOf?: () => RunLine | null } = {}): BatchWorkers {
  const worker = new BatchWorkers({
    redisUrl: server.url,
    queueUrl: server.url,
    prefix: PREFIX,
    files,
    policy: () => DEFAULT_BATCHES,
    runnerOf: () => running(answer),
    metrics: new Metrics(),
    log: log as unknown as ConstructorParameters<typeof BatchWorkers>[0]['log'],
    sweepMs: 200,
    ...more,
  });
  worker.start();
  workers.push(worker);
  return worker;
}

const lineOf = (id: string, input: unknown): string =>
  JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/embeddings', body: { model: 'a/b', input } });

/** So many lines, of which the first two thirds are for this model. */
const mixed = (model: string, count: number): string =>
  Array.from({ length: count }, (_, at) =>
    lineOf(`r${at}`, 'x').replace('"a/b"', JSON.stringify(at < (count * 2) / 3 ? model : 'a/b')),
  ).join('\n');

async function upload(text: string): Promise<string> {
  const file = await files.create({ owner: OWNER, filename: 'in.jsonl', purpose: 'batch', expiresAfterS: null });
  await file.write(Buffer.from(text));
  return (await file.finish()).id;
}

async function begin(inputs: readonly unknown[]): Promise<string> {
  const inputFileId = await upload(inputs.map((input, at) => lineOf(`r${at}`, input)).join('\n'));
  return beginWith(inputFileId);
}

async function beginWith(inputFileId: string): Promise<string> {
  const draft = {
    owner: OWNER,
    principal: '',
    endpoint: '/v1/embeddings' as const,
    inputFileId,
    completionWindow: '24h',
    metadata: null,
    outputExpiresAfterS: null,
  };
  const { batch } = await store.create(draft, null, (id) => jobs.validate(id));
  return batch.id;
}

async function until(id: string, holds: (batch: Batch) => boolean): Promise<Batch> {
  for (const end = Date.now() + 20_000; Date.now() < end; await delay(20)) {
    const batch = await store.find(id);
    if (batch && holds(batch)) return batch;
  }
  throw new Error(`not in time: ${JSON.stringify(await store.find(id))}`);
}

const ended = (id: string): Promise<Batch> => until(id, ({ status }) => isEnded(status));

interface Line {
  readonly id: string;
  readonly custom_id: string;
  readonly response: { readonly status_code: number; readonly request_id: string; readonly body: unknown } | null;
  readonly error: { readonly code: string } | null;
}

async function linesOf(id: string | null): Promise<Line[]> {
  if (id === null) return [];
  const pieces: Buffer[] = [];
  for await (const piece of files.read(OWNER, id)) pieces.push(Buffer.from(piece));
  const text = Buffer.concat(pieces).toString();
  assert.ok(text.endsWith('\n'));
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

describe('a batch', () => {
  test('is worked off by several workers, and its output is in the order of its input', async () => {
    work();
    work();
    const inputs = Array.from({ length: 330 }, (_, at) => (at % 7 === 3 ? 'bad' : at % 50 === 0 ? 'wait30' : `i${at}`));
    const batch = await ended(await begin(inputs));
    assert.equal(batch.status, 'completed', JSON.stringify(batch));
    const bad = inputs.filter((input) => input === 'bad').length;
    assert.deepEqual([batch.total, batch.completed, batch.failed], [330, 330 - bad, bad]);
    assert.equal(batch.usage.inputTokens, 660);
    const output = await linesOf(batch.outputFileId);
    const errors = await linesOf(batch.errorFileId);
    const idsOf = (wanted: boolean): string[] =>
      inputs.flatMap((i, at) => ((i === 'bad') === wanted ? [`r${at}`] : []));
    assert.deepEqual(
      output.map((line) => line.custom_id),
      idsOf(false),
    );
    assert.deepEqual(
      errors.map((line) => line.custom_id),
      idsOf(true),
    );
    assert.deepEqual(output[1]?.response?.body, { of: 'r1', input: 'i1' });
    assert.ok([...output, ...errors].every(({ error }) => error === null));
    assert.equal(new Set([...output, ...errors].map(({ id }) => id)).size, 330);
    assert.equal(errors[0]?.response?.status_code, 400);
    const again = await ended(await beginWith(batch.inputFileId));
    assert.deepEqual(await linesOf(again.outputFileId), output, 'the same input has the same output, ids and all');
    assert.deepEqual(await store.open(), []);
    assert.deepEqual(await jobs.waiting(), { batches: 0, lines: 0 });
  });

  test('whose input is wrong fails, with the numbers of the lines', async () => {
    work();
    const batch = await ended(await beginWith(await upload(`${lineOf('a', 'x')}\n{nonsense\n${lineOf('a', 'y')}\n`)));
    assert.equal(batch.status, 'failed');
    assert.deepEqual(
      batch.problems.map(({ code, line }) => [code, line]),
      [
        ['invalid_json_line', 2],
        ['duplicate_custom_id', 3],
      ],
    );
    assert.equal(batch.outputFileId, null);
  });

  test('that is cancelled keeps what it has, and says what was not done', async () => {
    work();
    const id = await begin(Array.from({ length: 200 }, (_, at) => (at < 10 ? `i${at}` : 'wait60000')));
    await until(id, ({ completed }) => completed >= 8);
    assert.ok(await store.cancel(id));
    await jobs.finalize(id, 50);
    const batch = await ended(id);
    assert.equal(batch.status, 'cancelled');
    const output = await linesOf(batch.outputFileId);
    const errors = await linesOf(batch.errorFileId);
    assert.equal(output.length, batch.completed);
    assert.equal(output.length + errors.length, 200);
    assert.ok(errors.every(({ response, error }) => response === null && error?.code === 'batch_cancelled'));
    // The worker does not go on with what nobody waits for.
    const next = await ended(await begin(Array.from({ length: 200 }, () => 'x')));
    assert.equal(next.status, 'completed');
  });

  test('whose time is over ends as expired', async () => {
    work();
    const id = await begin(['i0', 'wait60000', 'i2']);
    await until(id, ({ completed }) => completed === 2);
    await client.hset(redisKeys(PREFIX).batches.batch(id), 'expiresAt', String(await store.now()));
    const batch = await ended(id);
    assert.equal(batch.status, 'expired');
    const [unrun] = await linesOf(batch.errorFileId);
    assert.deepEqual([unrun?.custom_id, unrun?.error?.code], ['r1', 'batch_expired']);
    assert.equal((await linesOf(batch.outputFileId)).length, 2);
  });

  test('waits where it has to, and goes on', async () => {
    let refused = 0;
    work(async (request, signal) => {
      if (refused < 3 && request.customId === 'r1') {
        refused++;
        return { waitMs: 150 };
      }
      return echo(request, signal);
    });
    const batch = await ended(await begin(['a', 'b', 'c']));
    assert.deepEqual([batch.status, batch.completed, refused], ['completed', 3, 3]);
  });

  test('has lines of a model that has to wait, and those of others go on', async () => {
    work(async (request, signal) => (request.model === 'a/full' ? { waitMs: 60_000 } : echo(request, signal)));
    const id = await beginWith(await upload(mixed('a/full', 30)));
    await until(id, ({ completed }) => completed === 10);
    assert.ok(await store.cancel(id));
    await jobs.finalize(id);
    assert.equal((await ended(id)).status, 'cancelled');
  });

  test('has more to say than its owner has room for: what is paid for is kept', async () => {
    const id = await begin(['a', 'b', 'c']);
    policy = { ...DEFAULT_FILES, maxFileBytes: 3_000, maxBytesPerKey: 3_000, maxFilesPerKey: 1 };
    try {
      work(async (request, signal) => {
        const outcome = await echo(request, signal);
        if ('waitMs' in outcome) return outcome;
        return { answer: { ...outcome.answer, body: Buffer.from(JSON.stringify('x'.repeat(2_000))) } };
      });
      const batch = await ended(id);
      assert.deepEqual([batch.status, (await linesOf(batch.outputFileId)).length], ['completed', 3]);
    } finally {
      policy = DEFAULT_FILES;
    }
  });

  test('whose input is deleted in the middle of it fails with what it has', async () => {
    work(async (request, signal) => (request.model === 'a/later' ? { waitMs: 100 } : echo(request, signal)));
    const id = await beginWith(await upload(mixed('a/later', 60)));
    const { inputFileId } = await until(id, ({ completed }) => completed >= 10);
    assert.ok(await files.delete(OWNER, inputFileId));
    const batch = await ended(id);
    assert.deepEqual([batch.status, batch.problems[0]?.code], ['failed', 'input_file_not_found']);
    assert.equal((await linesOf(batch.outputFileId)).length, batch.completed);
    assert.equal(await client.exists(redisKeys(PREFIX).batches.shard(id, 0)), 0);
  });

  test('is not lost with its jobs', async () => {
    const id = await begin(['a', 'b']);
    const queues = await client.keys(`${redisKeys(PREFIX).queues}:*`);
    assert.ok(queues.length > 0);
    await client.unlink(...queues);
    work();
    assert.equal((await ended(id)).status, 'completed');
  });

  test('outlives Redis, killed in the middle of it', async () => {
    work();
    const id = await begin(Array.from({ length: 300 }, () => 'wait20'));
    await until(id, ({ completed }) => completed >= 20);
    await server.restart();
    const batch = await ended(id);
    assert.deepEqual([batch.status, batch.completed], ['completed', 300]);
    assert.equal((await linesOf(batch.outputFileId)).length, 300);
  });

  test('fails when its input is deleted before it was read, or its key is', async () => {
    const gone = await begin(['a']);
    const input = (await store.find(gone))?.inputFileId ?? '';
    assert.ok(await files.delete(OWNER, input));
    work();
    const first = await ended(gone);
    assert.deepEqual([first.status, first.problems[0]?.code], ['failed', 'input_file_not_found']);
    await Promise.all(workers.map((one) => one.stop(100)));
    workers = [];
    work(echo, { runnerOf: () => null });
    const second = await ended(await begin(['a']));
    assert.deepEqual([second.status, second.problems[0]?.code], ['failed', 'invalid_api_key']);
  });

  test('goes on elsewhere when a worker is told to stop', async () => {
    const first = work();
    const id = await begin(Array.from({ length: 120 }, () => 'wait40'));
    await until(id, ({ completed }) => completed >= 10);
    await first.stop(50);
    const before = (await store.find(id))?.completed ?? 0;
    assert.ok(before < 120);
    work();
    const batch = await ended(id);
    assert.deepEqual([batch.status, batch.completed], ['completed', 120]);
  });
});
