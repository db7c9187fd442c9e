/**
 * Memory over many queued chunks: `node -C source --expose-gc services/embedder/src/chunks/memory.testing.ts [requests] [chunks]`.
 * Starts a Redis of its own, one waiting side and one worker side in this process, and prints the heap and the resident set now
 * and then. Each chunk has ten texts and answers with 100 KB.
 */
import type { ChunkWork } from './contract.ts';
import { QueueBench } from './queue-bench.testing.ts';
import { answer } from './scripted.testing.ts';

const [requests = 500, chunks = 100] = process.argv.slice(2).map(Number);
const data = Buffer.alloc(100_000, '"');
const bench = await QueueBench.open();
await bench.embedder((job): Promise<ChunkWork> => Promise.resolve({ ...answer(job), data }));
const from = performance.now();
for (let done = 1; done <= requests; done++) {
  await bench.run(chunks);
  if (done % Math.max(1, Math.floor(requests / 10)) !== 0) continue;
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const mb = (bytes: number): string => (bytes / 1048576).toFixed(1);
  const perSecond = ((done * chunks) / ((performance.now() - from) / 1000)).toFixed(0);
  console.log(
    `${done * chunks} chunks, ${perSecond}/s: heap ${mb(heapUsed)} MB, external ${mb(external)} MB, rss ${mb(rss)} MB`,
  );
}
await bench.close();
