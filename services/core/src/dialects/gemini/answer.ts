import type { Candidate, GroundingMetadata, Part } from '@google/genai';
import { GatewayError } from '../../errors/index.ts';
import type { AnswerContext } from '../dialect.ts';
import type { AnswerSink, EventTeller } from '../translation/index.ts';
import { type Citations, CitationTeller } from './citations.ts';
import { errorIn, googleFailure } from './error.ts';
import { finishReason } from './finish-reason.ts';
import { REASONING_FORMAT } from './signatures.ts';
import { type GeminiUsage, mergeUsage, servedTier, usageFromGemini } from './usage.ts';

/** `GenerateContentResponse`, whole or one chunk of a stream. */
interface Response {
  readonly candidates?: readonly (Omit<Candidate, 'citationMetadata'> & { readonly citationMetadata?: Citations })[];
  readonly promptFeedback?: { readonly blockReason?: string; readonly blockReasonMessage?: string };
  readonly usageMetadata?: GeminiUsage;
  readonly modelVersion?: string;
  readonly responseId?: string;
}

/** What is kept of a choice from chunk to chunk. */
interface Told {
  readonly citations: CitationTeller;
  text: string;
  calls: number;
  details: number;
  /** The detail that thoughts go on being told to, until something else is said. */
  openThought: number | null;
  grounding: GroundingMetadata | undefined;
}

/**
 * Tells an answer: all of it, or chunk by chunk. A stream has no event of its own for its end: an answer is complete with a
 * finish reason for every choice, and the end of the response is the end of the stream, for usage may come with the finish reason
 * or behind it.
 */
export class GeminiAnswer implements EventTeller {
  readonly #context: AnswerContext;
  /** Choices that end together when the prompt is refused. */
  readonly #choices: number;
  readonly #told = new Map<number, Told>();
  #usage: GeminiUsage = {};

  constructor(context: AnswerContext, choices: number) {
    this.#context = context;
    this.#choices = choices;
  }

  tell(data: Buffer, _name: string, sink: AnswerSink): false {
    const parsed = parse(data);
    // Without `alt=sse`, as some proxies have it, a stream is an array.
    for (const response of Array.isArray(parsed) ? parsed : [parsed]) this.#tellResponse(response, sink);
    return false;
  }

  #tellResponse(value: unknown, sink: AnswerSink): void {
    const error = errorIn(value);
    if (error) throw googleFailure(error, this.#context.target.provider);
    if (!isResponse(value)) throw unreadable('it is not a JSON object');
    const { candidates = [], promptFeedback, usageMetadata } = value;
    if (value.responseId || value.modelVersion) sink.identity(value.responseId ?? null, value.modelVersion ?? null);
    if (usageMetadata) this.#count(usageMetadata, sink);
    candidates.forEach((candidate, i) => {
      this.#candidate(candidate, candidate.index ?? i, value.responseId, sink);
    });
    if (candidates.length === 0 && promptFeedback?.blockReason) this.#refused(promptFeedback, sink);
  }

  #count(usage: GeminiUsage, sink: AnswerSink): void {
    this.#usage = mergeUsage(this.#usage, usage);
    const buckets = usageFromGemini(this.#usage);
    if (buckets) sink.usage(buckets);
    const tier = servedTier(this.#usage);
    if (tier !== null) sink.servedBy(tier);
  }

  /** The prompt was blocked: there is no candidate, and the answer is a refusal. */
  #refused(feedback: NonNullable<Response['promptFeedback']>, sink: AnswerSink): void {
    const said = feedback.blockReasonMessage || `The prompt was blocked: ${feedback.blockReason}.`;
    for (let choice = 0; choice < this.#choices; choice++) {
      sink.refusal(choice, said);
      sink.finish(choice, 'content_filter');
    }
  }

  #candidate(
    candidate: NonNullable<Response['candidates']>[number],
    choice: number,
    responseId: string | undefined,
    sink: AnswerSink,
  ): void {
    const told = this.#of(choice);
    for (const part of candidate.content?.parts ?? []) this.#part(part, choice, told, responseId, sink);
    told.grounding = candidate.groundingMetadata ?? told.grounding;
    if (!candidate.finishReason) return;
    told.citations.tell(choice, told.text, told.grounding, candidate.citationMetadata, sink);
    const reason = finishReason(candidate.finishReason, candidate.finishMessage);
    // Held back before anything was said: why is all that there is to tell.
    if (reason === 'content_filter' && told.text === '' && candidate.finishMessage) {
      sink.refusal(choice, candidate.finishMessage);
    }
    sink.finish(choice, reason);
  }

  #part(part: Part, choice: number, told: Told, responseId: string | undefined, sink: AnswerSink): void {
    if (part.thought === true) {
      this.#thought(part, choice, told, sink);
      return;
    }
    if (part.functionCall) this.#call(part, choice, told, responseId, sink);
    else {
      if (part.text) {
        told.openThought = null;
        told.text += part.text;
        sink.text(choice, part.text);
      }
      const { mimeType = '', data } = part.inlineData ?? {};
      if (data && mimeType.startsWith('image/')) sink.image(choice, `data:${mimeType};base64,${data}`);
      // Code that Google ran, and what came of it, stands in no place of an OpenAI answer; the text tells of it.
      if (part.thoughtSignature) this.#signature(part.thoughtSignature, choice, told, sink);
    }
  }

  /** Images that were drawn while thinking are not the answer's. */
  #thought({ text, thoughtSignature }: Part, choice: number, told: Told, sink: AnswerSink): void {
    if (!text && !thoughtSignature) return;
    told.openThought ??= told.details++;
    const base = { type: 'reasoning.text', format: REASONING_FORMAT, index: told.openThought };
    if (text) {
      sink.reasoning(choice, text);
      sink.reasoningDetail(choice, { ...base, text });
    }
    if (thoughtSignature) {
      sink.reasoningDetail(choice, { ...base, signature: thoughtSignature });
      told.openThought = null;
    }
  }

  #call(part: Part, choice: number, told: Told, responseId: string | undefined, sink: AnswerSink): void {
    const { id, name, args } = part.functionCall ?? {};
    told.openThought = null;
    const extra = part.thoughtSignature
      ? { extra_content: { google: { thought_signature: part.thoughtSignature } } }
      : undefined;
    const call = sink.toolCall(choice, id || madeUpId(responseId, choice, told.calls++), name ?? '', extra);
    sink.toolArguments(choice, call, JSON.stringify(args ?? {}));
  }

  #signature(data: string, choice: number, told: Told, sink: AnswerSink): void {
    told.openThought = null;
    sink.reasoningDetail(choice, {
      type: 'reasoning.encrypted',
      data,
      format: REASONING_FORMAT,
      index: told.details++,
    });
  }

  #of(choice: number): Told {
    let told = this.#told.get(choice);
    if (!told) {
      told = {
        citations: new CitationTeller(),
        text: '',
        calls: 0,
        details: 0,
        openThought: null,
        grounding: undefined,
      };
      this.#told.set(choice, told);
    }
    return told;
  }
}

/**
 * Google gives ids to few models' calls. One of the answer's own differs from those of the conversation's earlier calls, and is the
 * same in a stream and a whole answer; OpenAI takes no more than 40 characters back.
 */
function madeUpId(responseId: string | undefined, choice: number, call: number): string | null {
  const own = responseId?.replace(/[^A-Za-z0-9_-]/g, '').slice(0, 24);
  return own ? `call_${own}_${choice}_${call}` : null;
}

function parse(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    throw unreadable('it is not JSON');
  }
}

const isResponse = (value: unknown): value is Response => typeof value === 'object' && value !== null;

function unreadable(why: string): GatewayError {
  return new GatewayError('response_error', `The provider sent an answer that cannot be read: ${why}.`, {
    failure: 'overloaded',
    code: 'invalid_provider_response',
  });
}
