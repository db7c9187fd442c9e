import type { Content, Part } from '@google/genai';
import type { AssistantTurn, Part as ChatPart, ToolTurn, Turn, UserTurn } from '../../chat/index.ts';
import { GatewayError } from '../../errors/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';
import type { Fields } from '../translation/index.ts';
import { encodeAudio, encodeMedia } from './media.ts';
import { isThirdGeneration, modelTraits } from './model.ts';
import { NO_SIGNATURE, returnedReasoning } from './signatures.ts';

export interface GeminiConversation {
  readonly system: Part[];
  readonly contents: Content[];
}

/**
 * Turns as Gemini wants them: system texts apart, wherever they stood; turns of one role joined, so that user and model
 * alternate and the results of parallel calls stand in one content; no empty texts.
 */
export function encodeContents(
  turns: readonly Turn[],
  target: Target,
  media: FetchedMedia,
  fields: Fields,
): GeminiConversation {
  return new ContentsEncoder(target, media, fields).encode(turns);
}

class ContentsEncoder {
  readonly #target: Target;
  readonly #media: FetchedMedia;
  readonly #fields: Fields;
  readonly #wantsSignatures: boolean;
  readonly #contents: Content[] = [];
  /** Names of the functions called, by call id: a result has to name its function. */
  readonly #called = new Map<string, string>();

  constructor(target: Target, media: FetchedMedia, fields: Fields) {
    this.#target = target;
    this.#media = media;
    this.#fields = fields;
    this.#wantsSignatures = isThirdGeneration(modelTraits(target.model));
  }

  encode(turns: readonly Turn[]): GeminiConversation {
    const system: Part[] = [];
    for (const turn of turns) {
      this.#warnOfCacheMarks(turn);
      if (turn.role === 'system') system.push(...turn.parts.flatMap(({ text }) => textPart(text)));
      else if (turn.role === 'assistant') this.#append('model', this.#assistant(turn));
      else if (turn.role === 'tool') this.#append('user', [this.#toolResult(turn)]);
      else this.#append('user', this.#user(turn));
    }
    this.#beginWithUser(system);
    return { system, contents: this.#contents };
  }

  /** The API wants contents, and a user's turn before a call; a request of system texts alone becomes a user's. */
  #beginWithUser(system: Part[]): void {
    if (this.#contents[0]?.role === 'user') return;
    if (this.#contents.length === 0 && system.length > 0) {
      this.#append('user', system.splice(0));
      return;
    }
    this.#fields.warn('messages', 'the provider wants a user message first, an empty one was put there');
    this.#contents.unshift({ role: 'user', parts: [{ text: '(no message)' }] });
  }

  #append(role: 'user' | 'model', parts: Part[]): void {
    if (parts.length === 0) return;
    const last = this.#contents.at(-1);
    if (last?.role === role && last.parts) last.parts.push(...parts);
    else this.#contents.push({ role, parts });
  }

  /** Gemini caches prefixes by itself; marks change nothing. */
  #warnOfCacheMarks({ parts }: Turn): void {
    for (const { path, cache } of parts) {
      if (cache !== null) this.#fields.warn(`${path}.cache_control`, 'the provider caches by itself, dropped');
    }
  }

  #user(turn: UserTurn): Part[] {
    if (turn.name !== null) this.#fields.warn(`${turn.path}.name`, 'not taken by the provider, dropped');
    return turn.parts.flatMap((part) => this.#userPart(part));
  }

  #userPart(part: ChatPart): Part[] {
    switch (part.type) {
      case 'text':
        return textPart(part.text);
      case 'image':
        if (part.detail !== null && part.detail !== 'auto')
          this.#fields.warn(`${part.path}.image_url.detail`, 'not taken by the provider, dropped');
        return [encodeMedia(part, this.#target, this.#media)];
      case 'file':
        if (part.filename !== null)
          this.#fields.warn(`${part.path}.file.filename`, 'not taken by the provider, dropped');
        return [encodeMedia(part, this.#target, this.#media)];
      case 'audio':
        return [encodeAudio(part)];
      default:
        return part satisfies never;
    }
  }

  #assistant(turn: AssistantTurn): Part[] {
    const reasoning = returnedReasoning(turn, this.#fields);
    const said = turn.parts.flatMap(({ text }) => textPart(text));
    if (turn.refusal) said.push({ text: turn.refusal });
    return [...reasoning.thoughts, ...signed(said, reasoning.ofText), ...this.#calls(turn, reasoning.ofCalls)];
  }

  #calls(turn: AssistantTurn, signatures: ReadonlyMap<string, string>): Part[] {
    return turn.toolCalls.map((call, i) => {
      this.#called.set(call.id, call.name);
      const args = this.#arguments(call.arguments, call.path);
      const part: Part = { functionCall: { id: call.id, name: call.name, args } };
      const signature = call.thoughtSignature ?? signatures.get(call.id) ?? null;
      if (signature !== null) part.thoughtSignature = signature;
      // Of parallel calls only the first is signed, and from Gemini 3 on the API refuses it without.
      else if (i === 0 && this.#wantsSignatures) {
        part.thoughtSignature = NO_SIGNATURE;
        this.#fields.warn(
          `${call.path}.extra_content.google.thought_signature`,
          'missing; sent without, which makes the model reason worse',
        );
      }
      return part;
    });
  }

  #arguments(text: string, path: string): Record<string, unknown> {
    if (text.trim() === '') return {};
    const parsed = parseObject(text);
    if (parsed) return parsed;
    // Broken arguments stand in the history as they once came from a model.
    this.#fields.warn(`${path}.function.arguments`, 'not a JSON object, sent as {"arguments": ...}');
    return { arguments: text };
  }

  /**
   * The API wants an object, and reads its `output` and `error` where it has them: a result that is an object goes as it is,
   * any other text as `output`.
   */
  #toolResult({ callId, path, parts }: ToolTurn): Part {
    const name = this.#called.get(callId);
    if (name === undefined) throw unknownCall(path, callId);
    const text = parts.map((part) => part.text).join('');
    return { functionResponse: { id: callId, name, response: parseObject(text) ?? { output: text } } };
  }
}

/** The API refuses empty texts, which say nothing. */
const textPart = (text: string): Part[] => (text === '' ? [] : [{ text }]);

/** Signatures go on the text that they came with: the last on the last piece, and alone where there is none. */
function signed(said: Part[], signatures: readonly string[]): Part[] {
  const [last, ...earlier] = [...signatures].reverse();
  if (last === undefined) return said;
  const alone = earlier.reverse().map((thoughtSignature): Part => ({ text: '', thoughtSignature }));
  const text = said.at(-1) ?? { text: '' };
  return [...alone, ...said.slice(0, -1), { ...text, thoughtSignature: last }];
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function unknownCall(path: string, callId: string): GatewayError {
  return new GatewayError(
    'invalid_request_error',
    `Invalid request: '${path}.tool_call_id' ${JSON.stringify(callId)} is the id of no tool call in an earlier message.`,
    { param: `${path}.tool_call_id`, code: 'invalid_value', failure: 'bad_request' },
  );
}
