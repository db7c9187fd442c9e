import assert from 'node:assert/strict';
import { tinyPdf, tinyPng } from '../conformance/media.ts';
import { seedText, Workshop } from '../conformance/workshop.ts';
import type { MatrixBench } from './bench.ts';
import type { Feature } from './feature.ts';
import type { ProviderRow } from './providers.ts';

/** What the examples ask for; everything else of them stays as it is printed. */
const MODEL = /anthropic\/claude-sonnet-4/g;

/** The seed's examples with the OpenAI SDK, each program as it is printed, asking this provider's model. */
const EXAMPLES: Readonly<Record<string, (stdout: string) => void>> = {
  'chat-completion.ts': (stdout) => assert.match(stdout, /^Assistant: \w.*\nTokens used: \{/),
  'streaming-chat.ts': (stdout) => assert.match(stdout, /^\w.*\.$/),
  'image-analysis.ts': (stdout) =>
    assert.match(stdout, new RegExp(`^Assistant: I see 1 image \\(image/png, ${tinyPng().length} bytes\\)`)),
  'pdf-analysis.ts': (stdout) =>
    assert.match(stdout, new RegExp(`^Assistant: I read 1 file \\(.*application/pdf, ${tinyPdf().length} bytes\\)`)),
  'tool-calls.ts': (stdout) => {
    assert.match(stdout, /^Assistant: null\nTool calls: \[/);
    assert.match(stdout, /name: 'get_weather'/);
    assert.match(stdout, /"location": ?"San Francisco"/);
  },
};

/** One program for all of them: starting one for each would cost more than everything else together. */
const runner = (texts: Readonly<Record<string, string>>): string => `
import { writeFileSync } from 'node:fs';
for (const [file, text] of Object.entries(${JSON.stringify(texts)})) {
  writeFileSync(file, text);
  console.log('=== ' + file);
  await import('./' + file);
  console.log();
}
`;

export const SEED_EXAMPLES: Feature = {
  row: 'the OpenAI SDK’s image, PDF and tool examples as written',
  name: 'the seed’s examples as written',
  run: ({ bench, provider }) => runExamples(bench, provider),
};

async function runExamples(bench: MatrixBench, { model }: ProviderRow): Promise<void> {
  const workshop = new Workshop(bench.stack);
  try {
    const files = Object.keys(EXAMPLES);
    const texts = files.map((file) => {
      const text = seedText(file).replaceAll(MODEL, model);
      return [file, text.replaceAll('https://ai-gateway.vercel.sh', bench.stack.origin)];
    });
    const run = await workshop.run('all.mjs', runner(Object.fromEntries(texts)), process.execPath);
    assert.equal(run.code, 0, run.stderr);
    for (const part of run.stdout.split('=== ').slice(1)) {
      const file = part.slice(0, part.indexOf('\n'));
      EXAMPLES[file]?.(part.slice(part.indexOf('\n') + 1).trimEnd());
    }
    assert.equal(run.stdout.split('=== ').length - 1, files.length);
  } finally {
    workshop.clear();
  }
}
