import { after, before, suite } from 'node:test';
import type { Bench } from './bench.ts';
import { chatTests } from './chat.ts';
import { errorTests } from './errors.ts';
import { httpTests } from './http.ts';
import { recordingTests } from './recordings.ts';
import { streamTests } from './streams.ts';

/** All tests of the OpenAI API, on one gateway: to start it takes longer than most of them. */
export function openaiSuite(title: string, start: () => Promise<Bench>): void {
  suite(title, () => {
    let started: Bench | undefined;
    const bench = (): Bench => {
      if (started === undefined) throw new Error('the bench has not started');
      return started;
    };
    before(async () => {
      started = await start();
    });
    after(async () => {
      await started?.stack.stop();
      await started?.replay.close();
    });

    suite('chat completions, with the OpenAI SDK', () => chatTests(bench));
    suite('streams, with the OpenAI SDK', () => streamTests(bench));
    suite('errors, with the OpenAI SDK', () => errorTests(bench));
    suite('plain HTTP', () => httpTests(bench));
    suite('recorded answers of real providers', () => recordingTests(bench));
  });
}
