import assert from 'node:assert/strict';
import OpenAI, { APIError } from 'openai';
import { type Stack, startStack } from '../support/stack.ts';
import { type Answer, assertSame, readStream, readWhole } from './answer.ts';
import type { Ask, Context, Fate } from './feature.ts';
import { MediaHost } from './media-host.ts';
import { matrixConfig, type ProviderRow } from './providers.ts';

type WholeParams = OpenAI.ChatCompletionCreateParamsNonStreaming;
type StreamParams = OpenAI.ChatCompletionCreateParamsStreaming;

/** One gateway before one simulator, and the official SDK as client of both. */
export class MatrixBench {
  readonly stack: Stack;
  readonly media: MediaHost;
  readonly #gateway: OpenAI;
  readonly #direct: OpenAI;

  static async start(): Promise<MatrixBench> {
    const media = await MediaHost.start();
    try {
      const stack = await startStack({
        config: (simulators) => matrixConfig(simulators, { allowPrivateFileUrls: true }),
      });
      return new MatrixBench(stack, media);
    } catch (error) {
      await media.close();
      throw error;
    }
  }

  private constructor(stack: Stack, media: MediaHost) {
    this.stack = stack;
    this.media = media;
    const options = { maxRetries: 0, timeout: 20_000 };
    this.#gateway = new OpenAI({ ...options, apiKey: stack.key, baseURL: stack.baseUrl });
    this.#direct = new OpenAI({ ...options, apiKey: 'sk-simulated', baseURL: stack.simulator().baseUrl });
  }

  async stop(): Promise<void> {
    await Promise.all([this.stack.stop(), this.media.close()]);
  }

  async whole({ model }: ProviderRow, body: Ask): Promise<Answer> {
    return readWhole(await this.#gateway.chat.completions.create({ ...body, model, stream: false } as WholeParams));
  }

  async stream({ model }: ProviderRow, body: Ask): Promise<Answer> {
    const params = { ...body, model, stream: true, stream_options: { include_usage: true } } as StreamParams;
    return readStream(await this.#gateway.chat.completions.create(params), { usageAsked: true });
  }

  /** A stream's frames as they come, for what the SDK hides. */
  async frames({ model }: ProviderRow, body: Ask): Promise<{ status: number; frames: string[] }> {
    const response = await this.post({ ...body, model, stream: true });
    const text = await response.text();
    return { status: response.status, frames: text.split('\n\n').filter((frame) => frame !== '') };
  }

  post(body: Readonly<Record<string, unknown>>): Promise<Response> {
    return fetch(`${this.stack.baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.stack.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
  }

  /** In both forms, held to the fate and to one another; null when the fate is an error. */
  async askBoth({ provider, fate }: Context, body: Ask): Promise<Answer | null> {
    if (fate.kind === 'refuses') {
      assertRefused(await failureOf(this.whole(provider, body)), fate);
      assertRefused(await failureOf(this.stream(provider, body)), fate);
      return null;
    }
    const answer = await this.whole(provider, body);
    assert.equal(answer.model, provider.model, 'the public id of the model that answered');
    assert.ok(answer.usage, 'usage');
    assertUsageAddsUp(answer.usage);
    assertWarned(answer.warnings, fate);
    assertSame(answer, await this.stream(provider, body));
    return answer;
  }

  async received({ upstream }: ProviderRow): Promise<Readonly<Record<string, unknown>>> {
    const requests = await this.stack.simulator().requests({ model: upstream });
    const body = requests.at(-1)?.body;
    assert.ok(typeof body === 'object' && body !== null, `the provider got a JSON object as ${upstream}`);
    return body as Readonly<Record<string, unknown>>;
  }

  async assertSaysWhatOpenAiSays(body: Ask, answer: Answer): Promise<void> {
    // What OpenAI does not know is the gateway's own affair.
    const { providerOptions: _, reasoning: __, messages, ...rest } = body;
    const plain = messages.map((message) => withoutExtensions(message));
    const params = { ...rest, messages: plain, model: 'gpt-4.1-asked-directly' } as WholeParams;
    const { choices } = await this.#direct.chat.completions.create(params);
    assert.equal(answer.text, choices[0]?.message.content || null, 'the text, as when OpenAI is asked directly');
    const calls = choices[0]?.message.tool_calls ?? [];
    assert.deepEqual(
      answer.calls.map(({ name, arguments: text }) => [name, JSON.parse(text)]),
      calls.map((call) => (call.type === 'function' ? [call.function.name, JSON.parse(call.function.arguments)] : [])),
      'the calls, as when OpenAI is asked directly',
    );
  }
}

const EXTENSIONS = ['cache_control', 'provider_metadata', 'reasoning', 'reasoning_details', 'images'];

function withoutExtensions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutExtensions);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !EXTENSIONS.includes(key) && key !== 'extra_content');
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutExtensions(inner)]));
}

/** The error that a call ends with; a success is a failure of the test. */
export async function failureOf(call: Promise<Answer>): Promise<APIError> {
  const answer = await call.catch((error: unknown) => error);
  assert.ok(answer instanceof APIError, `expected an error, got ${JSON.stringify(answer)}`);
  return answer;
}

function assertRefused(error: APIError, { status, code }: Extract<Fate, { kind: 'refuses' }>): void {
  assert.deepEqual({ status: error.status, code: error.code }, { status, code }, error.message);
}

function assertWarned(warnings: readonly string[], fate: Fate): void {
  if (fate.kind === 'works') assert.deepEqual(warnings, [], 'nothing to warn of');
  else if (fate.kind === 'warns') {
    const named = warnings.some((warning) => warning.startsWith(fate.path));
    assert.ok(named, `a warning of ${fate.path} in ${JSON.stringify(warnings)}`);
  }
}

/** WIRE 2.19. */
function assertUsageAddsUp(usage: OpenAI.CompletionUsage): void {
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  const { cached_tokens: read = 0, cache_write_tokens: written = 0 } = (usage.prompt_tokens_details ?? {}) as {
    cached_tokens?: number;
    cache_write_tokens?: number;
  };
  assert.ok(read + written <= usage.prompt_tokens, 'the prompt includes what was read from and written to the cache');
  const { reasoning_tokens: reasoning = 0 } = usage.completion_tokens_details ?? {};
  assert.ok(reasoning <= usage.completion_tokens, 'the completion includes reasoning');
}
