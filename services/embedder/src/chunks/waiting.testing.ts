import { DEFAULT_EMBEDDINGS } from '@headgate/core/catalog';
import { ChunkQueue } from '@headgate/core/queue';
import { log, PREFIX } from './scripted.testing.ts';

/** A process that queues as many chunks as it is told and waits for them, so that it can be killed. */
const [url = '', chunks = '1', unwantedAfterMs = '1000'] = process.argv.slice(2);
const queue = new ChunkQueue({
  queueUrl: url,
  prefix: PREFIX,
  waiter: `child ${process.pid}`,
  policy: () => DEFAULT_EMBEDDINGS.queue,
  log,
  unwantedAfterMs: Number(unwantedAfterMs),
});
queue.start();
while (queue.liveEmbedders === 0) await new Promise((done) => setTimeout(done, 10));
const drafts = Array.from({ length: Number(chunks) }, (_, from) => ({
  provider: 'p',
  job: { from, items: [{ item: { case: 'text' as const, value: 'a secret' } }], model: 'm/m' },
}));
await queue.run(drafts, { deadlineAt: performance.now() + 600_000, signal: new AbortController().signal });
process.stdout.write('all have ended\n');
