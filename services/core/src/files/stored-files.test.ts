import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_FILES, type FilePolicy } from '../catalog/index.ts';
import type { GatewayError } from '../errors/index.ts';
import { createRequestClient, type RedisClient, redisKeys } from '../redis/index.ts';
import { type RedisServer, startRedisServer } from '../redis/redis-server.testing.ts';
import { BLOCK_BYTES } from './bodies.ts';
import type { FileDraft, FileObject } from './contract.ts';
import { type S3Server, startS3Server } from './s3-server.testing.ts';
import { StoredFiles } from './stored-files.ts';

const MB = 1024 * 1024;
const keys = redisKeys('t');
const log = { warn: () => undefined };
const draft: FileDraft = { owner: 'key_1', filename: 'in.jsonl', purpose: 'batch', expiresAfterS: null };

let redis: RedisServer;
let s3: S3Server;
let client: RedisClient;

before(async () => {
  [redis, s3] = await Promise.all([startRedisServer(), startS3Server()]);
  client = createRequestClient(redis.url, 'files-test');
  await new Promise((ready) => client.once('ready', ready));
});

after(async () => {
  client.disconnect();
  await Promise.all([redis.stop(), s3.stop()]);
});

function open(store: 'redis' | 's3', given: Partial<FilePolicy> = {}, uploadIdleMs = 60_000, retryMs = 1): StoredFiles {
  const bucket = {
    bucket: 'files',
    region: 'us-east-1',
    endpoint: s3.endpoint,
    forcePathStyle: true,
    prefix: 'gate/',
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  };
  const policy: FilePolicy = { ...DEFAULT_FILES, store, s3: bucket, ...given };
  return new StoredFiles({ client, keys, policy: () => policy, log, timing: { uploadIdleMs, retryMs } });
}

async function put(files: StoredFiles, bytes: Buffer, given: Partial<FileDraft> = {}): Promise<FileObject> {
  const upload = await files.create({ ...draft, ...given });
  try {
    // Pieces that fit no block, in one buffer that is used again.
    const piece = Buffer.alloc(100_003);
    for (let at = 0; at < bytes.length; at += piece.length) {
      const length = bytes.copy(piece, 0, at, at + piece.length);
      await upload.write(piece.subarray(0, length));
    }
    return await upload.finish();
  } catch (thrown) {
    await upload.abort();
    throw thrown;
  }
}

async function taken(files: StoredFiles, id: string, from = 0): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of files.read(draft.owner, id, { from })) {
    assert.ok(piece.length <= BLOCK_BYTES);
    pieces.push(Buffer.from(piece));
  }
  return Buffer.concat(pieces);
}

/** Everything that files have in Redis, but for the note when to look at an owner. */
async function leftInRedis(): Promise<string[]> {
  return (await client.keys('t:*')).filter((key) => key !== keys.files.owners);
}

const sums = async (owner = draft.owner): Promise<Record<string, string>> =>
  await client.hgetall(keys.files.ofOwner(owner).sums);

const refused = (code: string, status: number) => (thrown: unknown) => {
  const error = thrown as GatewayError;
  assert.deepEqual([error.code, error.status], [code, status], String(thrown));
  return true;
};

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

for (const store of ['redis', 's3'] as const) {
  describe(`files in ${store}`, () => {
    let files: StoredFiles;

    beforeEach(async () => {
      await client.flushall();
      s3.clear();
      files = open(store);
    });

    const nothingLeft = async (): Promise<void> => {
      assert.deepEqual(
        (await leftInRedis()).filter((key) => !key.endsWith(':sums')),
        [],
      );
      const { bytes = '0', files: count = '0' } = await sums();
      assert.deepEqual([bytes, count], ['0', '0']);
      assert.equal(s3.objects.size, 0);
      assert.equal(s3.openUploads, 0);
    };

    it('gives back what was put in, from any byte on', async () => {
      for (const size of [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * MB, 5 * MB + 1, 11 * MB]) {
        const bytes = randomBytes(size);
        const file = await put(files, bytes);
        assert.equal(file.bytes, size);
        for (const from of [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * MB, size]) {
          if (from > size) continue;
          assert.equal(digest(await taken(files, file.id, from)), digest(bytes.subarray(from)), `${size} from ${from}`);
        }
        assert.equal(await files.delete(draft.owner, file.id), true);
      }
      await nothingLeft();
    });

    it('says what a file is', async () => {
      const at = Math.floor(Date.now() / 1000);
      const upload = await files.create({ ...draft, filename: 'ä "x"\\\n.jsonl' });
      await upload.write(Buffer.from('{}\n'));
      const file = await upload.finish({ purpose: 'evals', expiresAfterS: 3_600 });
      assert.match(file.id, /^file-[0-9A-Z]{26}$/);
      assert.deepEqual(
        { ...file, id: '', createdAt: 0, expiresAt: file.expiresAt - file.createdAt },
        { id: '', bytes: 3, createdAt: 0, expiresAt: 3_600, filename: 'ä "x"\\\n.jsonl', purpose: 'evals' },
      );
      assert.ok(Math.abs(file.createdAt - at) <= 2);
      assert.deepEqual(await files.get(draft.owner, file.id), file);
      assert.deepEqual((await files.list(draft.owner, { limit: 1, order: 'asc' })).files, [file]);
      await files.delete(draft.owner, file.id);
    });

    it('shows nothing before the end, and keeps nothing of what was broken off', async () => {
      const upload = await files.create(draft);
      await upload.write(randomBytes(6 * MB));
      assert.equal(await files.get(draft.owner, upload.id), null);
      assert.deepEqual((await files.list(draft.owner, { limit: 10, order: 'asc' })).files, []);
      await assert.rejects(taken(files, upload.id), refused('file_not_found', 404));
      // While it is still writing.
      const writing = upload.write(randomBytes(6 * MB));
      await Promise.all([upload.abort(), writing]);
      await upload.abort();
      await nothingLeft();
    });

    it('is nobody else’s', async () => {
      const { id } = await put(files, Buffer.from('mine'));
      assert.equal(await files.get('key_2', id), null);
      assert.equal(await files.delete('key_2', id), false);
      await assert.rejects(files.read('key_2', id)[Symbol.asyncIterator]().next(), refused('file_not_found', 404));
      assert.deepEqual((await files.list('key_2', { limit: 10, order: 'desc' })).files, []);
      await assert.rejects(files.list('key_2', { limit: 10, order: 'desc', after: id }), refused('invalid_value', 400));
      assert.equal((await taken(files, id)).toString(), 'mine');
      assert.equal(await files.delete(draft.owner, id), true);
      assert.equal(await files.delete(draft.owner, id), false);
      await nothingLeft();
    });

    it('lists pages in both orders, of all or of one purpose', async () => {
      const made: FileObject[] = [];
      for (let i = 0; i < 7; i++) {
        made.push(await put(files, Buffer.from(`${i}`), { purpose: i % 2 === 0 ? 'batch' : 'batch_output' }));
      }
      const ids = made.map(({ id }) => id);
      const page = async (query: Partial<Parameters<StoredFiles['list']>[1]>) => {
        const { files: list, hasMore } = await files.list(draft.owner, { limit: 3, order: 'asc', ...query });
        return [list.map(({ id }) => ids.indexOf(id)), hasMore];
      };
      assert.deepEqual(await page({}), [[0, 1, 2], true]);
      assert.deepEqual(await page({ after: ids[2] ?? '' }), [[3, 4, 5], true]);
      assert.deepEqual(await page({ after: ids[3] ?? '' }), [[4, 5, 6], false]);
      assert.deepEqual(await page({ order: 'desc' }), [[6, 5, 4], true]);
      assert.deepEqual(await page({ order: 'desc', after: ids[4] ?? '', limit: 10_000 }), [[3, 2, 1, 0], false]);
      assert.deepEqual(await page({ purpose: 'batch_output' }), [[1, 3, 5], false]);
      assert.deepEqual(await page({ purpose: 'evals' }), [[], false]);
      for (const id of ids) await files.delete(draft.owner, id);
      await nothingLeft();
    });

    it('takes no file that is too large, not by a byte', async () => {
      const small = open(store, { maxFileBytes: 300_000 });
      const { id } = await put(small, randomBytes(300_000));
      await assert.rejects(put(small, randomBytes(300_001)), refused('file_too_large', 400));
      await small.delete(draft.owner, id);
      await nothingLeft();
    });

    it('never keeps more than a key may, however many upload, break off and delete at once', async () => {
      const room = 2_000_000;
      const tight = open(store, { maxBytesPerKey: room, maxFilesPerKey: 9 });
      const outcomes = await Promise.all(
        Array.from({ length: 12 }, (_, i) =>
          put(tight, randomBytes(300_000)).then(
            ({ id }) => id,
            (error: GatewayError) => `${i} ${error.code}`,
          ),
        ),
      );
      const kept = outcomes.filter((id) => id.startsWith('file-'));
      assert.ok(kept.length <= 6, `${kept.length} files of 300 kB in 2 MB`);
      assert.ok(outcomes.every((outcome) => /^file-|storage_limit_exceeded$|file_limit_exceeded$/.test(outcome)));
      assert.deepEqual({ ...(await sums()) }, { bytes: String(kept.length * 300_000), files: String(kept.length) });
      await Promise.all([
        ...kept.map((id) => tight.delete(draft.owner, id)),
        ...kept.map((id) => tight.delete(draft.owner, id)),
        put(tight, randomBytes(1_000)).then(({ id }) => tight.delete(draft.owner, id)),
      ]);
      await nothingLeft();
      assert.equal((await put(tight, randomBytes(room))).bytes, room);
      await assert.rejects(put(tight, Buffer.from('x')), refused('storage_limit_exceeded', 400));
      for (const { id } of (await tight.list(draft.owner, { limit: 9, order: 'asc' })).files) {
        await tight.delete(draft.owner, id);
      }
      await nothingLeft();
    });

    it('has as many files as a key may, and no more', async () => {
      const few = open(store, { maxFilesPerKey: 2 });
      const first = await put(few, Buffer.from('1'));
      const second = await few.create(draft);
      await assert.rejects(few.create(draft), refused('file_limit_exceeded', 400));
      await second.abort();
      const third = await put(few, Buffer.from('3'));
      await few.delete(draft.owner, first.id);
      await few.delete(draft.owner, third.id);
      await nothingLeft();
    });

    it('makes one file of work that is done twice', async () => {
      const id = 'file-batch_1-output';
      const uploads = await Promise.all([files.create({ ...draft, id }), files.create({ ...draft, id })]);
      for (const [i, upload] of uploads.entries()) await upload.write(Buffer.from(`by ${i}`));
      const [one, two] = await Promise.all(uploads.map((upload) => upload.finish()));
      assert.deepEqual(one, two);
      assert.equal(one?.id, id);
      assert.match((await taken(files, id)).toString(), /^by [01]$/);
      assert.deepEqual({ ...(await sums()) }, { bytes: '4', files: '1' });
      await files.delete(draft.owner, id);
      await nothingLeft();
    });

    it('forgets what has expired', async () => {
      const short = await put(files, randomBytes(300_000), { expiresAfterS: 1 });
      const long = await put(files, Buffer.from('stays'));
      assert.notEqual(await files.get(draft.owner, short.id), null);
      while ((await files.get(draft.owner, short.id)) !== null) await delay(50);
      await assert.rejects(taken(files, short.id), refused('file_not_found', 404));
      assert.deepEqual((await files.list(draft.owner, { limit: 9, order: 'asc' })).files, [long]);
      assert.deepEqual({ ...(await sums()) }, { bytes: '5', files: '1' });
      assert.equal(await files.sweep(), 1);
      assert.equal(s3.objects.size, store === 's3' ? 1 : 0);
      await files.delete(draft.owner, long.id);
      await nothingLeft();
    });

    it('sweeps up after processes that died in the middle of an upload', async () => {
      const hasty = open(store, {}, 300);
      const upload = await hasty.create(draft);
      await upload.write(randomBytes(6 * MB));
      assert.equal(await hasty.sweep(), 0);
      assert.equal(s3.openUploads, store === 's3' ? 1 : 0);
      let removed = 0;
      while (removed === 0) {
        await delay(20);
        removed = await hasty.sweep();
      }
      await nothingLeft();
      // The sweep after that has nothing more to look at.
      while ((await client.keys('t:*')).length > 0) {
        await delay(5);
        await hasty.sweep();
      }
      await assert.rejects(upload.write(randomBytes(MB)), refused('upload_ended', 408));
      await assert.rejects(upload.finish(), refused('upload_ended', 408));
      await upload.abort();
      await nothingLeft();
    });
  });
}

describe('files in Redis', () => {
  const files = (): StoredFiles => open('redis');
  const blocks = async (): Promise<string[]> => (await client.keys('t:{file:*')).sort();

  beforeEach(async () => {
    await client.flushall();
  });

  it('end by themselves, also where nobody sweeps', async () => {
    const upload = await files().create(draft);
    await upload.write(randomBytes(600_000));
    for (const key of await blocks()) assert.ok((await client.pttl(key)) > 0);
    await upload.finish({ expiresAfterS: 3_600 });
    assert.equal((await blocks()).length, 3);
    for (const key of await blocks()) {
      const left = await client.pttl(key);
      assert.ok(left > 3_590_000 && left < 3_700_000, `${left}`);
    }
  });

  it('do not pretend to be whole when a part was lost', async () => {
    const upload = await files().create(draft);
    await upload.write(randomBytes(600_000));
    await client.del((await blocks())[0] ?? '');
    await assert.rejects(upload.finish(), refused('files_unavailable', 503));
    await upload.abort();

    const { id } = await put(files(), randomBytes(600_000));
    await client.del((await blocks())[2] ?? '');
    await assert.rejects(taken(files(), id), refused('files_unavailable', 503));
  });

  it('are read to their end or not at all when they are deleted meanwhile', async () => {
    const { id } = await put(files(), randomBytes(4 * MB));
    const reading = files().read(draft.owner, id)[Symbol.asyncIterator]();
    await reading.next();
    await files().delete(draft.owner, id);
    await assert.rejects(
      async () => {
        while ((await reading.next()).done !== true);
      },
      refused('file_not_found', 404),
    );
  });

  it('say so when Redis is away', async () => {
    redis.pause();
    try {
      await assert.rejects(files().get(draft.owner, 'file-1'), refused('files_unavailable', 503));
      await assert.rejects(files().create(draft), refused('files_unavailable', 503));
    } finally {
      redis.resume();
      await client.ping().catch(() => undefined);
    }
  });
});

describe('files in a bucket', () => {
  const files = (): StoredFiles => open('s3');

  beforeEach(async () => {
    await client.flushall();
    s3.clear();
  });

  it('go up in parts when they are larger than one, and at once when they are not', async () => {
    const from = s3.operations.length;
    const small = await put(files(), randomBytes(5 * MB));
    const large = await put(files(), randomBytes(11 * MB));
    assert.deepEqual(s3.operations.slice(from), [
      'PutObject',
      'CreateMultipartUpload',
      'UploadPart',
      'UploadPart',
      'UploadPart',
      'CompleteMultipartUpload',
    ]);
    assert.deepEqual(
      [...s3.objects.keys()].map((key) => /^files\/gate\/[0-9A-Z]{26}$/.test(key)),
      [true, true],
    );
    for (const { id } of [small, large]) await files().delete(draft.owner, id);
    assert.equal(s3.objects.size, 0);
  });

  it('leave nothing behind when the bucket fails in the middle', async () => {
    const upload = await files().create(draft);
    await upload.write(randomBytes(6 * MB));
    s3.fail('UploadPart');
    await assert.rejects(upload.write(randomBytes(6 * MB)), refused('files_unavailable', 503));
    s3.fail(null);
    await upload.abort();
    assert.deepEqual([s3.openUploads, s3.objects.size], [0, 0]);
    assert.deepEqual({ ...(await sums()) }, { bytes: '0', files: '0' });
  });

  it('are removed later when the bucket is away at the moment', async () => {
    const { id } = await put(files(), randomBytes(1_000));
    s3.fail('DeleteObject');
    assert.equal(await files().delete(draft.owner, id), true);
    assert.equal(await files().get(draft.owner, id), null);
    assert.equal(s3.objects.size, 1);
    s3.fail(null);
    let removed = 0;
    while (removed === 0) {
      await delay(5);
      removed = await files().sweep();
    }
    assert.equal(s3.objects.size, 0);
  });

  it('hold no connection when the reader leaves early', async () => {
    const { id } = await put(files(), randomBytes(11 * MB));
    for await (const piece of files().read(draft.owner, id)) {
      assert.ok(piece.length > 0);
      break;
    }
    while (s3.openReads > 0) await delay(5);
    await files().delete(draft.owner, id);
  });

  it('stay readable when new ones go to Redis, and old ones of Redis when new ones go to the bucket', async () => {
    const inBucket = await put(files(), Buffer.from('bucket'));
    const inRedis = await put(open('redis'), Buffer.from('redis'));
    assert.equal((await taken(open('redis'), inBucket.id)).toString(), 'bucket');
    assert.equal((await taken(files(), inRedis.id)).toString(), 'redis');
    await files().delete(draft.owner, inBucket.id);
    await files().delete(draft.owner, inRedis.id);
  });

  it('are refused without the right credentials', async () => {
    const wrong = {
      bucket: 'files',
      region: 'us-east-1',
      endpoint: s3.endpoint,
      forcePathStyle: true,
      prefix: '',
      credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: 'not the secret' },
    };
    const upload = await open('s3', { s3: wrong }).create(draft);
    await upload.write(Buffer.from('x'));
    await assert.rejects(upload.finish(), refused('files_unavailable', 503));
    await upload.abort();
  });
});
