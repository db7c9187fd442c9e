import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { seedConfig } from './gateway.ts';
import { type Example, runExample } from './seed-runner.ts';
import { ROOT, Workshop } from './workshop.ts';

const CURL: readonly Example[] = [
  { file: 'list-models.sh', name: 'list-models', shows: 'json' },
  { file: 'chat-completion.sh', name: 'chat-completion', shows: 'json' },
  { file: 'streaming-chat.sh', name: 'streaming-chat', shows: 'json' },
  { file: 'image-analysis.sh', name: 'image-analysis', shows: 'json' },
  { file: 'tool-calls.sh', name: 'tool-calls', shows: 'json' },
  { file: 'provider-options.sh', name: 'provider-options', shows: 'json' },
];

const PYTHON: readonly Example[] = [
  { file: 'client.py', name: 'client', shows: 'nothing' },
  { file: 'list-models.py', name: 'list-models', shows: 'values' },
  { file: 'retrieve-model.py', name: 'retrieve-model', shows: 'values' },
  { file: 'chat-completion.py', name: 'chat-completion', shows: 'values' },
  { file: 'streaming-chat.py', name: 'streaming-chat', shows: 'values' },
  { file: 'image-analysis.py', name: 'image-analysis', shows: 'values' },
  { file: 'pdf-analysis.py', name: 'pdf-analysis', shows: 'values' },
  { file: 'tool-calls.py', name: 'tool-calls', shows: 'values' },
  { file: 'provider-options.py', name: 'provider-options', shows: 'values' },
  { file: 'streaming-provider-options.py', name: 'streaming-provider-options', shows: 'values' },
  { file: 'embeddings.py', name: 'embeddings', shows: 'values' },
];

const noCurl = ['curl', 'bash', 'base64'].find((tool) => spawnSync(tool, ['--version']).error !== undefined);
const python = pythonWithSdk();

suite('the seed’s examples for curl and Python, as they stand', () => {
  let stack: Stack;
  let workshop: Workshop;

  before(async () => {
    stack = await startStack({ simulators: 2, config: (simulators) => seedConfig(simulators) });
    workshop = new Workshop(stack);
  });
  after(async () => {
    workshop?.clear();
    await stack?.stop();
  });

  const noShell = noCurl === undefined ? false : `THE CURL EXAMPLES ARE NOT TESTED: no ${noCurl} on the PATH`;
  for (const example of CURL) {
    test(`curl: ${example.file}`, { skip: noShell }, () =>
      runExample(stack, example, (place) => place.runSeed(example.file, 'bash'), workshop),
    );
  }

  const noPython = 'skipped' in python ? `THE PYTHON EXAMPLES ARE NOT TESTED: ${python.skipped}` : false;
  const interpreter = 'path' in python ? python.path : '';
  for (const example of PYTHON) {
    test(`python: ${example.file}`, { skip: noPython }, () =>
      runExample(stack, example, (place) => place.runSeed(example.file, interpreter), workshop),
    );
  }
});

/** As test/setup.mjs left it. */
function pythonWithSdk(): { path: string } | { skipped: string } {
  const stamp = join(ROOT, '.headgate/conformance/python.json');
  if (!existsSync(stamp)) return { skipped: 'nothing is set up: npm test does it, or node test/setup.mjs' };
  const { python: path, skipped } = JSON.parse(readFileSync(stamp, 'utf8')) as { python?: string; skipped?: string };
  return path === undefined ? { skipped: skipped ?? 'the set-up failed' } : { path };
}
