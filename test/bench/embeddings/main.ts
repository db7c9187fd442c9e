import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type Stack, withStack } from '../../support/stack.ts';
import { watchMemory } from './memory.ts';

/**
 * Embeddings inline and through the queue, by turns in one run: what the queue costs, and what it brings. Prints a table; the
 * numbers of one machine mean little, their ratio more. `npm run bench:embeddings [-- --rounds 3]`; with
 * `-- --memory 1000000` what all processes hold while so many texts go through the queue.
 */

const TEXTS_A_CHUNK = 64;
const CASES = [
  { name: '1 text', items: 1, atOnce: 16, requests: 600 },
  { name: '128 texts, 2 calls', items: 2 * TEXTS_A_CHUNK, atOnce: 8, requests: 120 },
  { name: '1,024 texts, 16 calls', items: 16 * TEXTS_A_CHUNK, atOnce: 2, requests: 16 },
];

interface Result {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const option = (name: string): number => Number(process.argv[process.argv.indexOf(name) + 1]) || 0;
const rounds = option('--rounds') || 3;
const texts = option('--memory');

const config = (baseUrl: string | undefined, queued: boolean) => ({
  auth: { keys: [{ name: 'bench', key: 'key-bench' }] },
  // Cohere takes few texts a call: many calls without many bytes.
  providers: { cohere: { dialect: 'cohere', baseUrl, apiKey: 'co' } },
  embeddings: { queue: { minChunks: queued ? 2 : 1_000_000 } },
  models: [{ id: 'test/embed', type: 'embedding', endpoints: [{ provider: 'cohere', model: 'embed-v4.0' }] }],
});

async function measure(stack: Stack, { items, atOnce, requests }: (typeof CASES)[number]): Promise<Result> {
  const dispatcher = new Agent({ connections: atOnce });
  const body = JSON.stringify({
    model: 'test/embed',
    encoding_format: 'base64',
    input: Array.from({ length: items }, (_, at) => `[[sim dims=256]] text ${at}`),
  });
  const times: number[] = [];
  let left = requests;
  const began = performance.now();
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const at = performance.now();
      const { statusCode, body: answer } = await request(`${stack.baseUrl}/embeddings`, {
        dispatcher,
        method: 'POST',
        headers: { authorization: 'Bearer key-bench', 'content-type': 'application/json' },
        body,
      });
      const text = await answer.text();
      if (statusCode !== 200) throw new Error(`${statusCode}: ${text.slice(0, 300)}`);
      times.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  const seconds = (performance.now() - began) / 1_000;
  await dispatcher.close();
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(share * (times.length - 1))] ?? 0;
  return { perSecond: (requests * items) / seconds, p50: at(0.5), p99: at(0.99) };
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

await withStack(
  { embedders: 1, env: { HEADGATE_ACCESS_LOG: 'off' }, config: ([simulator]) => config(simulator?.url, true) },
  async (stack) => {
    if (texts > 0) return watchMemory(stack, texts);
    const results = new Map<string, Result[]>();
    for (let round = 0; round <= rounds; round++) {
      for (const queued of [false, true]) {
        await stack.reconfigure(config(stack.simulator().url, queued));
        await delay(1_500);
        for (const one of CASES) {
          const result = await measure(stack, one);
          // The first round warms up.
          if (round === 0) continue;
          const key = `${one.name}|${queued ? 'queued' : 'inline'}`;
          results.set(key, [...(results.get(key) ?? []), result]);
        }
      }
    }
    console.log('| request | way | texts/s | p50 ms | p99 ms |\n| --- | --- | --- | --- | --- |');
    for (const [key, all] of [...results].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const [name, way] = key.split('|');
      const of = (pick: (result: Result) => number): string => median(all.map(pick)).toFixed(1);
      console.log(`| ${name} | ${way} | ${of((r) => r.perSecond)} | ${of((r) => r.p50)} | ${of((r) => r.p99)} |`);
    }
  },
);
