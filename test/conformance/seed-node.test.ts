import { existsSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { seedConfig } from './gateway.ts';
import type { Example } from './seed-runner.ts';
import { runExample } from './seed-runner.ts';
import { AI_SDK_4, Workshop } from './workshop.ts';

const OPENAI_SDK: readonly Example[] = [
  { file: 'client.ts', name: 'client', shows: 'nothing' },
  { file: 'list-models.ts', name: 'list-models', shows: 'values' },
  { file: 'retrieve-model.ts', name: 'retrieve-model', shows: 'values' },
  { file: 'chat-completion.ts', name: 'chat-completion', shows: 'values' },
  { file: 'streaming-chat.ts', name: 'streaming-chat', shows: 'values' },
  { file: 'image-analysis.ts', name: 'image-analysis', shows: 'values' },
  { file: 'pdf-analysis.ts', name: 'pdf-analysis', shows: 'values' },
  { file: 'tool-calls.ts', name: 'tool-calls', shows: 'values' },
  { file: 'provider-options.ts', name: 'provider-options', shows: 'values' },
  { file: 'streaming-provider-options.ts', name: 'streaming-provider-options', shows: 'values' },
  { file: 'embeddings.ts', name: 'embeddings', shows: 'inspected' },
];

const FETCH: readonly Example[] = [
  { file: 'list-models.js', name: 'list-models', shows: 'inspected' },
  { file: 'chat-completion.js', name: 'chat-completion', shows: 'inspected' },
  { file: 'streaming-chat.js', name: 'streaming-chat', shows: 'inspected' },
  { file: 'image-analysis.js', name: 'image-analysis', shows: 'inspected' },
  { file: 'tool-calls.js', name: 'tool-calls', shows: 'inspected' },
  { file: 'provider-options.js', name: 'provider-options', shows: 'inspected' },
];

const AI_SDK: Example = { file: 'client-ai-sdk.ts', name: 'client', shows: 'nothing' };

suite('the seed’s examples for Node.js, as they stand', () => {
  let stack: Stack;
  const workshops: Workshop[] = [];

  function workshop(packages?: string): Workshop {
    const made = new Workshop(stack, packages);
    workshops.push(made);
    return made;
  }

  before(async () => {
    stack = await startStack({ simulators: 2, config: (simulators) => seedConfig(simulators) });
  });
  after(async () => {
    for (const made of workshops) made.clear();
    await stack?.stop();
  });

  const runs = (example: Example, packages?: string) =>
    runExample(stack, example, (place) => place.runSeed(example.file, process.execPath), workshop(packages));

  for (const example of OPENAI_SDK) test(`openai: ${example.file}`, () => runs(example));
  for (const example of FETCH) test(`fetch: ${example.file}`, () => runs(example));
  test('the current AI SDK: client.ts', () => runs(AI_SDK));
  test(
    'AI SDK 4: client.ts',
    { skip: existsSync(AI_SDK_4) ? false : 'AI SDK 4 IS NOT INSTALLED: npm test does it, or node test/setup.mjs' },
    () => runs(AI_SDK, AI_SDK_4),
  );
});
