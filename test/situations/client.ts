import OpenAI, { APIError, type ClientOptions } from 'openai';
import type { Stack } from '../support/stack.ts';

/** `provider_metadata.gateway`, as far as the situations read it (WIRE 2.5). */
export interface Gateway {
  readonly routing: {
    readonly originalModelId: string;
    readonly finalProvider: string;
    readonly resolvedProviderApiModelId: string;
    readonly attempts: readonly {
      readonly provider: string;
      readonly providerApiModelId: string;
      readonly success: boolean;
      readonly error?: string;
      readonly statusCode?: number;
      readonly providerTimeout?: boolean;
    }[];
    readonly totalProviderAttemptCount: number;
  };
  readonly cost?: string;
  readonly usageSource?: string;
  readonly resumed?: boolean;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export interface Call {
  readonly name: string;
  readonly arguments: string;
}

/** A request that hangs for so long has failed its test. */
const LONGEST_MS = 120_000;

/** What one call of the SDK came to. */
export interface Outcome {
  /** Of a stream that broke: what had come. */
  readonly text: string;
  readonly calls: readonly Call[];
  readonly finishReason: string | null;
  readonly models: ReadonlySet<string>;
  readonly usage: Usage | null;
  readonly gateway: Gateway | null;
  /** What the SDK threw; null for a whole answer. */
  readonly error: unknown;
  /** Each request that the SDK made, its own retries included. */
  readonly exchanges: readonly Exchange[];
  readonly tookMs: number;
}

export interface Exchange {
  readonly status: number;
  readonly headers: Headers;
  readonly raw: string;
}

export type Ask = Readonly<Record<string, unknown>> & { readonly model: string; readonly stream: boolean };

interface Said {
  text: string;
  calls: { name: string; arguments: string }[];
  finishReason: string | null;
  models: Set<string>;
  usage: Usage | null;
  gateway: Gateway | null;
}

/** Where `provider_metadata` stands, which the SDK's types do not know. */
interface WithMetadata {
  readonly provider_metadata?: { readonly gateway: Gateway };
}

/** Asks through the official SDK, with its own retries as they are. */
export async function ask(
  { key, baseUrl }: Pick<Stack, 'key' | 'baseUrl'>,
  request: Ask,
  options: Pick<ClientOptions, 'maxRetries'> = {},
): Promise<Outcome> {
  const exchanges: Promise<Exchange>[] = [];
  const client = new OpenAI({
    apiKey: key,
    baseURL: baseUrl,
    ...options,
    fetch: async (url, init) => {
      // The SDK lets go of a stream at its first error; what comes behind that is of interest, too.
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(LONGEST_MS) });
      const { forSdk, exchange } = recorded(response);
      exchanges.push(exchange);
      return forSdk;
    },
  });
  const said: Said = { text: '', calls: [], finishReason: null, models: new Set(), usage: null, gateway: null };
  const began = performance.now();
  let thrown: unknown = null;
  try {
    if (request.stream) await readStream(client, request, said);
    else await readWhole(client, request, said);
  } catch (error) {
    thrown = error;
  }
  const tookMs = performance.now() - began;
  return { ...said, error: thrown, exchanges: await Promise.all(exchanges), tookMs };
}

/** Reads the answer to its end, whatever the SDK does with its copy. */
function recorded({ status, headers, body }: Response): { forSdk: Response; exchange: Promise<Exchange> } {
  const { promise, resolve } = Promise.withResolvers<Exchange>();
  const copy = new ReadableStream<Uint8Array>({
    async start(controller) {
      const pieces: Uint8Array[] = [];
      let open = true;
      const sdk = (tell: () => void): void => {
        try {
          if (open) tell();
        } catch {
          open = false;
        }
      };
      try {
        for await (const piece of body ?? []) {
          pieces.push(piece);
          sdk(() => controller.enqueue(piece));
        }
        sdk(() => controller.close());
      } catch (error) {
        sdk(() => controller.error(error));
      }
      resolve({ status, headers, raw: Buffer.concat(pieces).toString('utf8') });
    },
  });
  return { forSdk: new Response(copy, { status, headers }), exchange: promise };
}

async function readStream(client: OpenAI, request: Ask, said: Said): Promise<void> {
  const body = { ...request, stream_options: { include_usage: true } };
  const stream = await client.chat.completions.create(body as unknown as OpenAI.ChatCompletionCreateParamsStreaming);
  for await (const chunk of stream) {
    said.models.add(chunk.model);
    said.usage = chunk.usage ?? said.usage;
    const [choice] = chunk.choices;
    if (!choice) continue;
    said.text += choice.delta.content ?? '';
    for (const { index, function: called } of choice.delta.tool_calls ?? []) {
      const call = said.calls[index] ?? { name: '', arguments: '' };
      call.name += called?.name ?? '';
      call.arguments += called?.arguments ?? '';
      said.calls[index] = call;
    }
    said.finishReason = choice.finish_reason ?? said.finishReason;
    said.gateway = (choice.delta as WithMetadata).provider_metadata?.gateway ?? said.gateway;
  }
}

async function readWhole(client: OpenAI, request: Ask, said: Said): Promise<void> {
  const body = request as unknown as OpenAI.ChatCompletionCreateParamsNonStreaming;
  const { choices, model, usage } = await client.chat.completions.create(body);
  const [choice] = choices;
  said.models.add(model);
  said.usage = usage ?? null;
  if (!choice) return;
  said.text = choice.message.content ?? '';
  for (const call of choice.message.tool_calls ?? []) if (call.type === 'function') said.calls.push(call.function);
  said.finishReason = choice.finish_reason;
  said.gateway = (choice.message as WithMetadata).provider_metadata?.gateway ?? null;
}

/** The answer that the simulator gives to this conversation, whichever of its models is asked, and in whichever language. */
export async function reference(simulatorUrl: string, request: Readonly<Record<string, unknown>>): Promise<Outcome> {
  const direct = { key: 'sk-simulated', baseUrl: `${simulatorUrl}/v1` };
  const outcome = await ask(direct, { ...request, model: 'calm', stream: false });
  if (outcome.error !== null) throw outcome.error;
  return outcome;
}

/** For messages of failure. */
export function told({ error, exchanges }: Outcome): string {
  const heads = exchanges.map(({ status, raw }) => `${status} ${raw.slice(-1_500)}`);
  return `${error instanceof APIError ? `${error.constructor.name} ${error.status} ${error.code}: ` : ''}${String(error)}\n${heads.join('\n')}`;
}
