import { parentPort } from 'node:worker_threads';
import { countTokens } from './encoding.ts';
import { promptTexts } from './prompt-texts.ts';
import type { CountJob, CountResult } from './token-counter.ts';

/** The thread that counts: it holds the vocabulary, and takes its time without keeping anybody's stream waiting. */
parentPort?.on('message', ({ id, prompt, texts }: CountJob) => {
  const result: CountResult = {
    id,
    prompt: prompt === null ? 0 : countPrompt(prompt),
    texts: texts.map(countTokens),
  };
  parentPort?.postMessage(result);
});

/** -1: it cannot be read. */
function countPrompt(body: Uint8Array): number {
  try {
    const { texts, others } = promptTexts(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'));
    return texts.reduce((sum, text) => sum + countTokens(text), others);
  } catch {
    return -1;
  }
}
