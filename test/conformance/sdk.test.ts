import { after, before, suite } from 'node:test';
import type { Bench } from './sdk/bench.ts';
import { chatTests } from './sdk/chat.ts';
import { errorTests } from './sdk/errors.ts';
import { httpTests } from './sdk/http.ts';
import { recordingTests } from './sdk/recordings.ts';
import { startBench } from './sdk/start-bench.ts';
import { streamTests } from './sdk/streams.ts';

/** One gateway for all of it: to start it takes longer than most of the tests. */
suite('the OpenAI API on the wire', () => {
  let started: Bench | undefined;
  const bench = (): Bench => {
    if (started === undefined) throw new Error('the bench has not started');
    return started;
  };
  before(async () => {
    started = await startBench();
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
