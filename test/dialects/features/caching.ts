import assert from 'node:assert/strict';
import type OpenAI from 'openai';
import type { Answer } from '../answer.ts';
import type { Ask, Context, Fate, Feature } from '../feature.ts';
import { each, GEMINIS, OPENAIS, warns } from '../feature.ts';

/** Longer than the least that providers cache, and another for each provider and feature. */
const longText = (what: string): string => `${what}. ${'The canal runs from the river to the fields. '.repeat(400)}`;

interface CacheTokens {
  readonly read: number;
  readonly written: number;
}

function cacheTokens({ usage }: Answer): CacheTokens {
  const details = (usage?.prompt_tokens_details ?? {}) as { cached_tokens?: number; cache_write_tokens?: number };
  return { read: details.cached_tokens ?? 0, written: details.cache_write_tokens ?? 0 };
}

/** First written, then read; providers that cache by themselves report reads alone. */
async function writesThenReads(context: Context, ask: (text: string) => Ask, name: string): Promise<void> {
  const { bench, provider, fate } = context;
  const body = ask(longText(`${name} at ${provider.name}`));
  const [first, second] = [await bench.whole(provider, body), await bench.stream(provider, body)];
  for (const { warnings } of [first, second]) {
    if (fate.kind === 'warns')
      assert.ok(
        warnings.some((warning) => warning.includes(fate.path)),
        warnings.join(),
      );
    else assert.deepEqual(warnings, []);
  }
  if (provider.family === 'claude') {
    assert.ok(cacheTokens(first).written > 1_000, `written: ${JSON.stringify(first.usage)}`);
    assert.equal(cacheTokens(first).read, 0);
  }
  assert.ok(cacheTokens(second).read > 1_000, `read: ${JSON.stringify(second.usage)}`);
  assert.equal(second.usage?.prompt_tokens, first.usage?.prompt_tokens, 'the prompt includes both');
}

const IMPLICIT: Readonly<Partial<Record<string, Fate>>> = each([...OPENAIS, ...GEMINIS], warns('cache_control'));
const marked = { cache_control: { type: 'ephemeral' } };

/** Prompt caching: marks by hand, marks by the gateway, and none where the provider needs none. */
export const CACHING: readonly Feature[] = [
  {
    row: '`cache_control`',
    name: 'cache_control on a part',
    fates: IMPLICIT,
    run: (context) =>
      writesThenReads(
        context,
        (text) =>
          ({
            messages: [
              { role: 'system', content: [{ type: 'text', text, ...marked }] },
              { role: 'user', content: 'Where does it run?' },
            ],
          }) as Ask,
        'part',
      ),
  },
  {
    row: '`cache_control`',
    name: 'cache_control on a message',
    fates: IMPLICIT,
    run: (context) =>
      writesThenReads(
        context,
        (text) =>
          ({
            messages: [
              { role: 'user', content: text, ...marked } as OpenAI.ChatCompletionMessageParam,
              { role: 'assistant', content: 'Yes?' },
              { role: 'user', content: 'Where does it run?' },
            ],
          }) as Ask,
        'message',
      ),
  },
  {
    row: '`caching: auto`',
    name: 'caching auto',
    run: (context) =>
      writesThenReads(
        context,
        (text) => ({
          messages: [
            { role: 'system', content: text },
            { role: 'user', content: 'Where does it run?' },
          ],
          providerOptions: { gateway: { caching: 'auto' } },
        }),
        'auto',
      ),
  },
];
