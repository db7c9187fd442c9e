import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type Stack, startStack } from '../support/stack.ts';
import { SONNET, seedConfig } from './gateway.ts';
import { tinyPdf, tinyPng } from './media.ts';
import { AI_SDK_4, Workshop } from './workshop.ts';

/** What both programs print. */
interface Printed {
  readonly whole: Said;
  readonly streamed: Said;
  readonly tools: { asked: string[]; steps: number; text: string; streamedText: string };
  readonly error: unknown;
}

interface Said {
  readonly text: string;
  readonly finish: string;
  readonly usage: Readonly<Record<string, number>>;
}

suite('the AI SDK', () => {
  let stack: Stack;

  before(async () => {
    stack = await startStack({ simulators: 2, config: (simulators) => seedConfig(simulators) });
  });
  after(async () => {
    await stack?.stop();
  });

  async function run<T extends Printed>(script: string, packages?: string): Promise<T> {
    const workshop = new Workshop(stack, packages);
    try {
      const text = readFileSync(join(import.meta.dirname, script), 'utf8');
      const { code, stdout, stderr } = await workshop.run('program.mjs', text, process.execPath);
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as T;
    } finally {
      workshop.clear();
    }
  }

  function check({ whole, streamed, tools, error }: Printed): void {
    assert.ok(whole.text);
    assert.equal(whole.finish, 'stop');
    assert.ok(Object.values(whole.usage).every((tokens) => tokens > 0));
    assert.deepEqual([streamed.text, streamed.finish], [whole.text, whole.finish]);
    assert.deepEqual(tools.asked, ['Paris', 'Rome']);
    assert.equal(tools.steps, 2);
    assert.ok(tools.text);
    assert.equal(tools.streamedText, tools.text);
    assert.deepEqual(error, { status: 404, retryable: false });
  }

  test('current: text, streams, tools, structured output, pictures, documents, routing and errors', async () => {
    const vertex = stack.simulator(1);
    const since = await vertex.lastSeq();
    const printed = await run<Printed & { model: string; structured: object }>('ai-sdk-current.mjs');
    check(printed);
    assert.deepEqual(printed.streamed.usage, printed.whole.usage);
    assert.equal(printed.model, SONNET);
    assert.deepEqual(Object.keys(printed.structured).sort(), ['name', 'tags', 'width']);
    // Only the request with pictures asked for this provider first.
    const requests = await vertex.requests({ since });
    assert.equal(requests.length, 1);
    const { messages } = (requests[0] ?? assert.fail()).body as { messages: unknown[] };
    assert.deepEqual(messages, [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What are these?' },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${tinyPng().toString('base64')}` } },
          {
            type: 'file',
            file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${tinyPdf().toString('base64')}` },
          },
        ],
      },
    ]);
  });

  const skip = existsSync(AI_SDK_4) ? false : 'AI SDK 4 IS NOT INSTALLED: npm test does it, or node test/setup.mjs';
  test('version 4: text, streams, tools and errors', { skip }, async () => {
    check(await run('ai4/answers.mjs', AI_SDK_4));
  });
});
