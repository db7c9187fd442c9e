import { type Usage, usageFromOpenAi } from '../../chat/index.ts';
import { GatewayError } from '../../errors/index.ts';
import type { AnswerMetadata, FrameSink, StreamContext, StreamDecoder, StreamProgress } from '../dialect.ts';
import type { ToldDelta } from '../transcript.ts';
import { ChunkHead } from './chunk-head.ts';
import { AnswerRepair } from './compatible/answer.ts';
import { presetOf } from './compatible/presets.ts';
import { decodeOpenAiStreamError } from './error.ts';
import { PlainChunks } from './plain-chunks.ts';
import { type Choice, type Completion, hasContent, isFilled, isKnownFinish } from './shapes.ts';
import { ToolCallStream } from './tool-call-stream.ts';

const DONE = '[DONE]';
const CLOSE_BRACE = 0x7d;
const LF = 0x0a;
/** Of a chunk without choices: what each chunk says, what is written at the end, and padding. */
const SAID_ELSEWHERE: ReadonlySet<string> = new Set([
  'id',
  'object',
  'created',
  'model',
  'choices',
  'usage',
  'system_fingerprint',
  'service_tier',
  'obfuscation',
  'provider_metadata',
  'x_groq',
]);
const NULL_USAGE = Buffer.from(',"usage":null}');

/**
 * An OpenAI stream: a chunk is parsed to be checked and observed, unless it differs from a checked one in its text alone,
 * and its own bytes are sent on with only `id` and `model` rewritten. A chunk is written anew only where it breaks a rule of WIRE 2.13 or 2.19.
 * Finish chunks are held back until the end is proved.
 */
export class OpenAiStream implements StreamDecoder, StreamProgress {
  hasContent = false;
  ended = false;
  usage: Usage | null = null;
  responseId: string | null = null;
  responseModel: string | null = null;
  serviceTier: string | null = null;
  readonly #context: StreamContext;
  readonly #head: ChunkHead;
  readonly #plain = new PlainChunks();
  readonly #repair: AnswerRepair;
  readonly #roles = new Set<number>();
  readonly #finished = new Map<number, string>();
  readonly #held: string[] = [];
  #tools: ToolCallStream | null = null;
  #usageJson: string | null = null;
  /** Members of chunks without choices. */
  #kept: Map<string, unknown> | null = null;
  #created: number | null = null;

  constructor(context: StreamContext) {
    this.#context = context;
    this.#head = new ChunkHead(context.generationId, context.model);
    this.#repair = new AnswerRepair(presetOf(context.target));
  }

  get progress(): StreamProgress {
    return this;
  }

  get complete(): boolean {
    if (this.#finished.size >= this.#context.choices) return true;
    // Some imitations give one choice whatever `n` is: behind `[DONE]`, those that began are all there are.
    return this.ended && this.#finished.size > 0 && this.#finished.size === this.#roles.size;
  }

  get finishReasons(): readonly string[] {
    return [...this.#finished.values()];
  }

  event(data: Buffer, name: string, out: FrameSink): void {
    if (name === '' && !this.ended && this.#plain.pass(data, out, this.#context.transcript)) return;
    if (data.length <= 8 && data.toString('latin1').trim() === DONE) {
      this.ended = true;
      return;
    }
    if (this.ended) return;
    const chunk = parse(data);
    if (isFilled(chunk.error)) throw decodeOpenAiStreamError(chunk.error);
    if (name === 'error' || chunk.object === 'error') throw decodeOpenAiStreamError(chunk);
    const repaired = this.#repair.chunk(chunk);
    this.#observe(chunk);
    const choices = chunk.choices;
    // The usage chunk, and Azure's first chunk with filter results: clients index choices[0] (WIRE 2.19).
    if (!Array.isArray(choices) || choices.length === 0) {
      this.#keep(chunk);
      return;
    }
    const intact = this.#putRight(choices) && !repaired;
    if (choices.some((choice) => isFinished(choice))) this.#split(chunk, choices, out);
    else {
      this.#takeDown(choices);
      if (intact && (chunk.usage ?? null) === null) this.#pass(data, chunk, out);
      else this.#write(chunk, out);
    }
  }

  #observe(chunk: Completion): void {
    if (this.responseId === null && typeof chunk.id === 'string') this.responseId = chunk.id;
    if (this.responseModel === null && typeof chunk.model === 'string') this.responseModel = chunk.model;
    if (typeof chunk.service_tier === 'string') this.serviceTier = chunk.service_tier;
    // Azure's first chunk, on the prompt's filter, has none.
    if (this.#created === null && typeof chunk.created === 'number' && chunk.created > 0) this.#created = chunk.created;
    const usage = usageFromOpenAi(chunk.usage);
    if (usage === null) return;
    // The later number wins.
    this.usage = usage;
    if (this.#context.includeUsage) this.#usageJson = JSON.stringify(chunk.usage);
  }

  /** A chunk without choices is not sent: what it alone says goes out with the metadata. */
  #keep(chunk: Completion): void {
    for (const [name, value] of Object.entries(chunk)) {
      if (value === null || SAID_ELSEWHERE.has(name)) continue;
      this.#kept ??= new Map();
      this.#kept.set(name, value);
    }
  }

  /** Puts roles and tool calls right, in place; true when nothing had to be. */
  #putRight(choices: readonly Choice[]): boolean {
    let intact = true;
    for (const choice of choices) {
      const index = choice.index ?? 0;
      if (choice.index === undefined || !choice.delta || choice.finish_reason === '') {
        choice.index = index;
        choice.delta ??= {};
        choice.finish_reason ||= null;
        intact = false;
      }
      const delta = choice.delta;
      if (!this.#roles.has(index)) {
        this.#roles.add(index);
        if (!delta.role) {
          delta.role = 'assistant';
          intact = false;
        }
      }
      if (delta.tool_calls) {
        this.#tools ??= new ToolCallStream(this.#context.generationId);
        if (this.#tools.putRight(index, delta.tool_calls)) intact = false;
      }
      if (!this.hasContent && hasContent(delta)) this.hasContent = true;
    }
    return intact;
  }

  /** The provider's own bytes behind the rewritten head; `usage` is null where it was asked for, absent where not. */
  #pass(data: Buffer, chunk: Completion, out: FrameSink): void {
    const head = this.#head.match(data) ?? this.#head.learn(data);
    const has = chunk.usage === null;
    const wants = this.#context.includeUsage;
    const end = has && !wants ? data.length - NULL_USAGE.length : data.length - 1;
    const asIs =
      data[data.length - 1] === CLOSE_BRACE && !data.includes(LF) && (!has || wants || endsInNullUsage(data));
    if (head === null || !asIs) {
      this.#write(chunk, out);
      return;
    }
    const tail = wants && !has ? ',"usage":null}\n\n' : '}\n\n';
    out.bytes(head.replacement);
    out.bytes(data, head.length, end);
    out.text(tail);
    const [choice] = chunk.choices ?? [];
    // What it says beside the text, every chunk like it would be taken to say again.
    if (this.hasContent && choice?.delta && !hasContent({ ...choice.delta, content: null })) {
      this.#plain.learn(data, head.replacement, head.length, end, tail, choice.index ?? 0);
    }
  }

  /** Sends what a chunk says beside its finish reasons, and holds those back. */
  #split(chunk: Completion, choices: readonly Choice[], out: FrameSink): void {
    const open: Choice[] = [];
    for (const choice of choices) {
      const reason = choice.finish_reason ?? null;
      if (reason === null) open.push(choice);
      else {
        if (!isKnownFinish(reason)) throw malformed(`unknown finish_reason ${JSON.stringify(reason)}`);
        const says = Object.values(choice.delta ?? {}).some(isFilled);
        if (says) open.push({ ...choice, finish_reason: null });
        this.#finish(chunk, { ...choice, delta: {}, ...(says ? { logprobs: null } : {}) }, choice.index ?? 0, reason);
      }
    }
    if (open.length === 0) return;
    this.#takeDown(open);
    this.#write({ ...chunk, choices: open }, out);
  }

  /** Only what is written is taken down. */
  #takeDown(choices: readonly Choice[]): void {
    const { transcript } = this.#context;
    if (!transcript) return;
    for (const { index, delta } of choices) if (delta) transcript.delta(index ?? 0, delta as ToldDelta);
  }

  #finish(chunk: Completion, choice: Choice, index: number, reason: string): void {
    if (this.#finished.has(index)) return;
    const calls = this.#tools?.has(index) ?? false;
    const finish_reason = calls && reason === 'stop' ? 'tool_calls' : reason;
    this.#finished.set(index, finish_reason);
    const missing = this.#tools?.missingArguments(index) ?? [];
    if (missing.length > 0) {
      this.#held.push(
        this.#frame({ ...chunk, choices: [{ ...choice, delta: { tool_calls: missing }, finish_reason: null }] }),
      );
    }
    this.#held.push(this.#frame({ ...chunk, choices: [{ ...choice, finish_reason }] }));
  }

  #write(chunk: Completion, out: FrameSink): void {
    out.text(this.#frame(chunk));
  }

  #frame(chunk: Completion): string {
    const { usage: _, ...rest } = chunk;
    const own = { ...rest, id: this.#context.generationId, model: this.#context.model };
    return `data: ${JSON.stringify(this.#context.includeUsage ? { ...own, usage: null } : own)}\n\n`;
  }

  finish(metadata: AnswerMetadata, out: FrameSink): void {
    const { generationId, model, includeUsage } = this.#context;
    const created = this.#created ?? this.#context.created;
    const head = `{"id":"${generationId}","object":"chat.completion.chunk","created":${created},"model":${JSON.stringify(model)},`;
    const top = metadata.atTop ? `,"provider_metadata":${metadata.json}` : '';
    const delta = `{"provider_metadata":${metadata.json}}`;
    const nullUsage = includeUsage ? ',"usage":null' : '';
    const kept = this.#kept === null ? '' : `,${JSON.stringify(Object.fromEntries(this.#kept)).slice(1, -1)}`;
    const choice = `{"index":0,"delta":${delta},"finish_reason":null}`;
    out.text(`data: ${head}"choices":[${choice}]${nullUsage}${kept}${top}}\n\n`);
    for (const frame of this.#held) out.text(frame);
    if (this.#usageJson !== null) out.text(`data: ${head}"choices":[],"usage":${this.#usageJson}}\n\n`);
    out.text('data: [DONE]\n\n');
  }
}

const isFinished = (choice: Choice): boolean => choice.finish_reason !== null && choice.finish_reason !== undefined;

const endsInNullUsage = (data: Buffer): boolean =>
  data.length > NULL_USAGE.length &&
  data.compare(NULL_USAGE, 0, NULL_USAGE.length, data.length - NULL_USAGE.length) === 0;

function parse(data: Buffer): Completion {
  let parsed: unknown;
  try {
    parsed = JSON.parse(data.toString('utf8'));
  } catch {
    throw malformed('a chunk is not valid JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) throw malformed('a chunk is not an object');
  return parsed;
}

function malformed(why: string): GatewayError {
  return new GatewayError('response_error', `The provider's stream cannot be read: ${why}.`, {
    failure: 'stream_broken',
    code: 'invalid_provider_response',
  });
}
