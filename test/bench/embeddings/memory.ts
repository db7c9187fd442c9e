import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { request } from 'undici';
import type { Stack } from '../../support/stack.ts';

/** Of one request, all of which are queued. */
const TEXTS = 10_000;
const AT_ONCE = 2;
const ROWS = 10;

/** Sends so many texts through the queue and prints what each process and Redis hold on the way, in MB. */
export async function watchMemory(stack: Stack, texts: number): Promise<void> {
  const redis = new Redis(stack.redis.url);
  const requests = Math.ceil(texts / TEXTS);
  const body = JSON.stringify({
    model: 'test/embed',
    encoding_format: 'base64',
    input: Array.from({ length: TEXTS }, (_, at) => `[[sim dims=256]] text ${at}`),
  });
  const [ingress = 0] = stack.workerPids();
  const embedder = Number(stack.logs('embedder').find(({ pid }) => pid !== undefined)?.pid);
  console.log('| texts | ingress MB | embedder MB | Redis MB | s |\n| --- | --- | --- | --- | --- |');
  const began = performance.now();
  let left = requests;
  let done = 0;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const { statusCode, body: answer } = await request(`${stack.baseUrl}/embeddings`, {
        method: 'POST',
        headers: { authorization: 'Bearer key-bench', 'content-type': 'application/json' },
        body,
      });
      const { byteLength } = await answer.bytes();
      if (statusCode !== 200 || byteLength < TEXTS * 256 * 4) throw new Error(`${statusCode}, ${byteLength} bytes`);
      done++;
      if (done % Math.max(1, Math.floor(requests / ROWS)) !== 0) continue;
      const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
      const row = [done * TEXTS, residentMb(ingress), residentMb(embedder), mb(used), seconds(began)];
      console.log(`| ${row.join(' | ')} |`);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, client));
  } finally {
    redis.disconnect();
  }
}

const mb = (bytes: number): string => (bytes / 1_048_576).toFixed(0);

const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(0);

function residentMb(pid: number): string {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return mb(Number(kb) * 1_024);
}
