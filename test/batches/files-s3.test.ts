import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type ClientRequest, request } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type S3Server, startS3Server } from '@headgate/core/testing/s3';
import { Redis } from 'ioredis';
import OpenAI from 'openai';
import { type Stack, startStack } from '../support/stack.ts';

/** `/v1/files` with the bytes in a bucket. */

const MB = 1024 * 1024;

let s3: S3Server;
let stack: Stack;
let redis: Redis;

before(async () => {
  s3 = await startS3Server();
  stack = await startStack({
    config: {
      files: {
        store: 's3',
        bucket: 'headgate',
        endpoint: s3.endpoint,
        accessKeyId: s3.accessKeyId,
        secretAccessKey: s3.secretAccessKey,
      },
    },
  });
  redis = new Redis(stack.redis.url);
});

after(async () => {
  redis?.disconnect();
  await stack?.stop();
  await s3?.stop();
});

const sdk = (): OpenAI => new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.key, maxRetries: 0 });
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('files go there and come back, and their bytes are nowhere else', async () => {
  const bytes = randomBytes(17 * MB);
  const { id } = await sdk().files.create({ file: new File([bytes], 'in.jsonl'), purpose: 'batch' });
  assert.deepEqual(
    [...s3.objects.values()].map((object) => sha(object)),
    [sha(bytes)],
  );
  assert.deepEqual(await redis.keys('hg:{file:*'), []);
  const content = await sdk().files.content(id);
  assert.equal(sha(new Uint8Array(await content.arrayBuffer())), sha(bytes));
  await sdk().files.delete(id);
  assert.equal(s3.objects.size, 0);
});

test('the secret of the bucket is in no key of Redis and in no line of the log', async () => {
  const state = await redis.hgetallBuffer('hg:{config}:state');
  assert.ok(Object.keys(state).length > 0);
  for (const value of Object.values(state)) assert.ok(!value.includes(s3.secretAccessKey));
  for (const service of ['control', 'ingress'] as const) {
    assert.ok(!JSON.stringify(stack.logs(service)).includes(s3.secretAccessKey));
  }
});

test('a bucket that fails leaves nothing there', async () => {
  const file = new File([randomBytes(40 * MB)], 'in.jsonl');
  s3.fail('CompleteMultipartUpload');
  await assert.rejects(sdk().files.create({ file, purpose: 'batch' }), { status: 503, code: 'files_unavailable' });
  s3.fail(null);
  await nothingThere();
});

test('a client that leaves in the middle leaves nothing there', async () => {
  const client = sendPartOf(40 * MB, randomBytes(25 * MB));
  while (s3.openUploads === 0) await delay(1);
  client.destroy();
  await nothingThere();
});

/** An upload that has said `bytes`, but of which no more than `sent` ever comes. */
function sendPartOf(bytes: number, sent: Uint8Array): ClientRequest {
  const head = [
    '--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
    '--b\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n',
  ].join('');
  const client = request(`${stack.baseUrl}/files`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack.key}`,
      'content-type': 'multipart/form-data; boundary=b',
      'content-length': bytes,
    },
  });
  client.on('error', () => undefined);
  client.write(head);
  client.write(sent);
  return client;
}

async function nothingThere(): Promise<void> {
  while (s3.openUploads > 0) await delay(5);
  assert.equal(s3.objects.size, 0);
  assert.deepEqual((await sdk().files.list()).data, []);
}
