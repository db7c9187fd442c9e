import assert from 'node:assert/strict';
import type OpenAI from 'openai';

/** An answer of either form, as a client that knows reasoning and the gateway's metadata would read it. */
export interface Answer {
  readonly text: string | null;
  readonly refusal: string | null;
  readonly reasoning: string | null;
  readonly details: readonly Detail[];
  readonly calls: readonly Call[];
  readonly images: number;
  readonly finish: string | null;
  readonly usage: OpenAI.CompletionUsage | null;
  readonly warnings: readonly string[];
  readonly model: string;
  /** Ready to be sent back as the next request's assistant message, with all that came. */
  readonly message: AssistantMessage;
}

export type Detail = Readonly<Record<string, unknown>>;

export interface Call {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
  readonly extra: unknown;
}

export type AssistantMessage = OpenAI.ChatCompletionAssistantMessageParam & Record<string, unknown>;

/** What Headgate puts beside OpenAI's fields of a message or a delta (WIRE 2.4, 2.8). */
interface Extras {
  readonly reasoning?: string;
  readonly reasoning_details?: readonly Detail[];
  readonly images?: readonly unknown[];
  readonly provider_metadata?: { readonly gateway: { readonly warnings?: readonly string[] } };
}

export function readWhole(completion: OpenAI.ChatCompletion): Answer {
  const [choice] = completion.choices;
  assert.ok(choice, 'an answer has a choice');
  assert.match(completion.id, /^gen_/);
  const message = choice.message as typeof choice.message & Extras;
  assert.ok(message.provider_metadata?.gateway, 'metadata of the gateway in the message');
  assert.equal(message.role, 'assistant');
  const calls = (message.tool_calls ?? []).map((call) => {
    assert.ok(call.type === 'function');
    const { extra_content: extra } = call as { extra_content?: unknown };
    return { id: call.id, name: call.function.name, arguments: call.function.arguments, extra: extra ?? null };
  });
  return {
    text: message.content || null,
    refusal: message.refusal || null,
    reasoning: message.reasoning ?? null,
    details: message.reasoning_details ?? [],
    calls,
    images: message.images?.length ?? 0,
    finish: choice.finish_reason,
    usage: completion.usage ?? null,
    warnings: message.provider_metadata.gateway.warnings ?? [],
    model: completion.model,
    message: message as unknown as AssistantMessage,
  };
}

interface OpenCall {
  id: string;
  name: string;
  arguments: string;
  extra: unknown;
}

/** Puts a stream together, and holds it to what the SDKs rely on (WIRE 2.13). */
export async function readStream(
  chunks: AsyncIterable<OpenAI.ChatCompletionChunk>,
  options: { readonly usageAsked: boolean },
): Promise<Answer> {
  const ids = new Set<string>();
  const calls: OpenCall[] = [];
  const details: Record<string, unknown>[] = [];
  const said = { text: '', refusal: '', reasoning: '' };
  let images = 0;
  let model = '';
  let finish: string | null = null;
  let usage: OpenAI.CompletionUsage | null = null;
  let metadata: Extras['provider_metadata'];
  let first = true;
  for await (const chunk of chunks) {
    ids.add(chunk.id);
    model = chunk.model;
    assert.equal(usage, null, 'usage comes last');
    if (chunk.usage) usage = chunk.usage;
    const [choice] = chunk.choices;
    if (!choice) {
      assert.ok(options.usageAsked && chunk.usage, 'only the usage chunk that was asked for has no choices');
      continue;
    }
    assert.equal(choice.index, 0);
    const delta = choice.delta as typeof choice.delta & Extras;
    if (first) assert.equal(delta.role, 'assistant', 'the first delta has the role');
    first = false;
    assert.equal(finish, null, 'nothing of a choice comes after its finish reason');
    said.text += delta.content ?? '';
    said.refusal += delta.refusal ?? '';
    said.reasoning += delta.reasoning ?? '';
    images += delta.images?.length ?? 0;
    for (const detail of delta.reasoning_details ?? []) joinDetail(details, detail);
    for (const call of delta.tool_calls ?? []) joinCall(calls, call);
    metadata = delta.provider_metadata ?? metadata;
    finish = choice.finish_reason ?? finish;
  }
  assert.equal(ids.size, 1, 'all chunks share one id');
  assert.ok(metadata?.gateway, 'a late chunk has the metadata of the gateway');
  const message = {
    role: 'assistant',
    content: said.text || null,
    ...(said.reasoning === '' ? {} : { reasoning: said.reasoning }),
    ...(details.length === 0 ? {} : { reasoning_details: details }),
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ id, name, arguments: text, extra }) => ({
            id,
            type: 'function',
            function: { name, arguments: text },
            ...(extra === null ? {} : { extra_content: extra }),
          })),
        }),
    provider_metadata: metadata,
  };
  return {
    text: said.text || null,
    refusal: said.refusal || null,
    reasoning: said.reasoning || null,
    details,
    calls,
    images,
    finish,
    usage,
    warnings: metadata.gateway.warnings ?? [],
    model,
    message: message as unknown as AssistantMessage,
  };
}

function joinCall(calls: OpenCall[], delta: OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall): void {
  const known = calls[delta.index];
  const text = delta.function?.arguments ?? '';
  if (known) {
    assert.equal(delta.id, undefined, 'the id stands on the first delta of a call only');
    known.arguments += text;
    return;
  }
  assert.equal(delta.index, calls.length, 'indexes of calls rise by one');
  assert.ok(delta.id && delta.function?.name, 'the first delta of a call has its id and name');
  const { extra_content: extra } = delta as { extra_content?: unknown };
  calls.push({ id: delta.id, name: delta.function.name, arguments: text, extra: extra ?? null });
}

/** As WIRE 2.8 and OpenRouter's clients do it: pieces of one type and index are one detail. */
function joinDetail(details: Record<string, unknown>[], piece: Detail): void {
  const known = details.find(({ type, index }) => type === piece.type && index === piece.index);
  if (!known) {
    details.push({ ...piece });
    return;
  }
  for (const [key, value] of Object.entries(piece)) {
    const joins = ['text', 'summary', 'data'].includes(key) && typeof known[key] === 'string';
    known[key] = joins ? `${String(known[key])}${String(value)}` : value;
  }
}

/** DESIGN 5, law 1. Ids of calls are not compared: where the provider gives none they are new in every answer. */
export function assertSame(whole: Answer, streamed: Answer): void {
  const comparable = ({ message: _, calls, ...rest }: Answer) => ({
    ...rest,
    calls: calls.map(({ id: _, arguments: text, ...call }) => ({ ...call, arguments: JSON.parse(text) as unknown })),
  });
  assert.deepEqual(comparable(streamed), comparable(whole), 'the stream equals the whole answer');
}
