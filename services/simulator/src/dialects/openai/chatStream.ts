import type { ChatCompletionChunk } from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';
import type { Directives } from '../../faults/directives.ts';
import type { Frame } from '../../http/eventStream.ts';
import { type ChatAnswer, finishOf, type SpokenChoice } from './chatAnswer.ts';
import { type ChatIdentity, systemFingerprint, type ThinkingFields, thinkingFields } from './chatJson.ts';
import type { ChatRequest } from './chatRequest.ts';
import { logprobOf } from './logprobs.ts';

type Delta = ChatCompletionChunk.Choice.Delta & ThinkingFields;

/** The events of a streamed answer in OpenAI's order: role, one token each, finish reason, usage, [DONE]. */
export function* chatFrames(
  identity: ChatIdentity,
  request: ChatRequest,
  answer: ChatAnswer,
  directives: Directives,
): Generator<Frame> {
  const chunks = new ChunkWriter(identity, request);
  for (const [index, choice] of answer.choices.entries()) {
    const said = choice.calls.length > 0 ? null : '';
    yield { place: 'opening', text: chunks.delta(index, { role: 'assistant', content: said, refusal: null }) };
  }
  yield* interleaved(answer.choices.map((choice, index) => tokenFrames(chunks, choice, index, directives)));
  for (const [index, choice] of answer.choices.entries()) {
    if (!directives.nofinish) yield { place: 'closing', text: chunks.delta(index, {}, finishOf(choice, directives)) };
  }
  if (chunks.includeUsage && !directives.nousage) yield { place: 'closing', text: chunks.usage(answer.usage) };
  yield { place: 'closing', text: directives.nodone ? '' : 'data: [DONE]\n\n' };
}

function* tokenFrames(
  chunks: ChunkWriter,
  choice: SpokenChoice,
  index: number,
  directives: Directives,
): Generator<Frame> {
  const token = (text: string): Frame => ({ place: 'token', text });
  const tagged = directives['think-as'] === 'tag';
  for (const [position, piece] of choice.thinking.entries()) {
    const first = position === 0 ? '<think>' : '';
    const last = position === choice.thinking.length - 1 ? '</think>' : '';
    yield token(chunks.delta(index, tagged ? { content: first + piece + last } : thinkingFields(piece, directives)));
  }
  for (const [position, piece] of (choice.refusal ?? []).entries())
    yield token(chunks.delta(index, { refusal: piece }, null, position));
  for (const [position, piece] of choice.text.entries()) yield token(chunks.content(index, piece, position));
  for (const [at, call] of choice.calls.entries()) {
    const opened = { index: at, id: call.id, type: 'function' as const, function: { name: call.name, arguments: '' } };
    yield token(chunks.delta(index, { tool_calls: [opened] }));
    for (const piece of call.arguments)
      yield token(chunks.delta(index, { tool_calls: [{ index: at, function: { arguments: piece } }] }));
  }
}

/** One item of each in turn, until all are used up. */
function* interleaved(sources: readonly Generator<Frame>[]): Generator<Frame> {
  let open = sources;
  if (open.length === 1 && open[0] !== undefined) return yield* open[0];
  while (open.length > 0) {
    const still: Generator<Frame>[] = [];
    for (const source of open) {
      const next = source.next();
      if (next.done) continue;
      yield next.value;
      still.push(source);
    }
    open = still;
  }
}

/** Stands for the content while the rest of a chunk is written; JSON leaves its letters alone. */
const placeholder = 'headgate-simulator-content';

/** Writes chunks as events. Those with plain content, the many, are put together from ready-made halves. */
class ChunkWriter {
  readonly includeUsage: boolean;
  readonly #identity: ChatIdentity;
  readonly #request: ChatRequest;
  readonly #halves = new Map<number, readonly [string, string]>();

  constructor(identity: ChatIdentity, request: ChatRequest) {
    this.#identity = identity;
    this.#request = request;
    this.includeUsage = request.params.stream_options?.include_usage === true;
  }

  /** `position` is that of a token whose log probability belongs into the chunk. */
  delta(index: number, delta: Delta, finish: SpokenChoice['finish'] | null = null, position?: number): string {
    const { params } = this.#request;
    const rated = position !== undefined && params.logprobs === true;
    const rate = (token: string | null | undefined) =>
      typeof token === 'string' ? [logprobOf(token, position ?? 0, params.top_logprobs ?? 0)] : null;
    const choice: ChatCompletionChunk.Choice = {
      index,
      delta,
      logprobs: rated ? { content: rate(delta.content), refusal: rate(delta.refusal) } : null,
      finish_reason: finish,
    };
    return this.#event({ choices: [choice], ...(this.includeUsage ? { usage: null } : {}) });
  }

  content(index: number, token: string, position: number): string {
    if (this.#request.params.logprobs === true) return this.delta(index, { content: token }, null, position);
    let halves = this.#halves.get(index);
    if (halves === undefined) {
      const [before = '', after = ''] = this.delta(index, { content: placeholder }).split(`"${placeholder}"`);
      halves = [before, after];
      this.#halves.set(index, halves);
    }
    return `${halves[0]}${JSON.stringify(token)}${halves[1]}`;
  }

  usage(usage: CompletionUsage): string {
    return this.#event({ choices: [], usage });
  }

  #event(part: Pick<ChatCompletionChunk, 'choices' | 'usage'>): string {
    const chunk: ChatCompletionChunk = {
      id: this.#identity.id,
      object: 'chat.completion.chunk',
      created: this.#identity.created,
      model: this.#identity.model,
      service_tier: 'default',
      system_fingerprint: systemFingerprint,
      ...part,
      ...(this.#request.params.stream_options?.include_obfuscation === true ? { obfuscation: 'x7Jq0s' } : {}),
    };
    return `data: ${JSON.stringify(chunk)}\n\n`;
  }
}
