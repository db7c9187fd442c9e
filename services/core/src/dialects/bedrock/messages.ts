import { createHash } from 'node:crypto';
import type { ContentBlock, Message, SystemContentBlock, ToolResultBlock } from '@aws-sdk/client-bedrock-runtime';
import {
  type AssistantTurn,
  type CacheMark,
  type Part,
  type TextPart,
  type ToolTurn,
  type Turn,
  unsupportedContent,
} from '../../chat/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';
import type { Fields } from '../translation/index.ts';
import { type CachePoint, cachePoint } from './cache.ts';
import { MediaEncoder } from './media.ts';
import { takesSystem } from './models.ts';
import { reasoningBlocks } from './reasoning.ts';

export interface BedrockConversation {
  readonly system: SystemContentBlock[];
  readonly messages: BedrockMessage[];
}

/** A message that is being put together. */
export interface BedrockMessage extends Message {
  role: 'user' | 'assistant';
  content: ContentBlock[];
}

/**
 * Turns as Converse wants them: system texts apart, wherever they stood; user and assistant in alternation, beginning with the
 * user, turns of one role joined; tool results inside user turns; nothing blank.
 */
export function encodeMessages(
  turns: readonly Turn[],
  target: Target,
  media: FetchedMedia,
  fields: Fields,
): BedrockConversation {
  return new ConversationEncoder(target, media, fields).encode(turns);
}

class ConversationEncoder {
  readonly #target: Target;
  readonly #fields: Fields;
  readonly #media: MediaEncoder;
  readonly #system: SystemContentBlock[] = [];
  readonly #messages: BedrockMessage[] = [];

  constructor(target: Target, media: FetchedMedia, fields: Fields) {
    this.#target = target;
    this.#fields = fields;
    this.#media = new MediaEncoder(target, media);
  }

  encode(turns: readonly Turn[]): BedrockConversation {
    for (const turn of turns) this.#turn(turn);
    this.#beginWithUser();
    this.#explainDocuments();
    this.#placeSystem();
    trimPrefill(this.#messages);
    return { system: this.#system, messages: this.#messages };
  }

  #turn(turn: Turn): void {
    switch (turn.role) {
      case 'system':
        for (const part of turn.parts) this.#system.push(...this.#text(part));
        return;
      case 'assistant':
        this.#append('assistant', this.#assistant(turn));
        return;
      case 'tool':
        this.#append('user', this.#toolResult(turn));
        return;
      case 'user':
        if (turn.name !== null) this.#fields.warn(`${turn.path}.name`, 'not taken by the provider, dropped');
        this.#append(
          'user',
          turn.parts.flatMap((part) => this.#userPart(part)),
        );
        return;
      default:
        turn satisfies never;
    }
  }

  #append(role: 'user' | 'assistant', blocks: ContentBlock[]): void {
    if (blocks.length === 0) return;
    const last = this.#messages.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else this.#messages.push({ role, content: blocks });
  }

  /** Blocks of white space alone are refused, and say nothing. */
  #text({ text, path, cache }: TextPart): ({ text: string } | CachePoint)[] {
    return text.trim() === '' ? [] : [{ text }, ...this.#mark(cache, path)];
  }

  #mark(cache: CacheMark | null, path: string): CachePoint[] {
    if (cache === null) return [];
    const point = cachePoint(cache, this.#target.model, path, this.#fields);
    return point === null ? [] : [point];
  }

  #assistant(turn: AssistantTurn): ContentBlock[] {
    const blocks: ContentBlock[] = reasoningBlocks(turn, this.#target.model, this.#fields);
    for (const part of turn.parts) blocks.push(...this.#text(part));
    if (turn.refusal) blocks.push({ text: turn.refusal });
    for (const call of turn.toolCalls) {
      if (call.thoughtSignature !== null) this.#fields.warn(`${call.path}.extra_content`, 'not of this model, dropped');
      const input = toolInput(call.arguments, call.path, this.#fields);
      blocks.push({ toolUse: { toolUseId: toolUseId(call.id), name: call.name, input } });
    }
    return blocks;
  }

  #toolResult(turn: ToolTurn): ContentBlock[] {
    const texts = turn.parts.filter(({ text }) => text.trim() !== '').map(({ text }) => ({ text }));
    const content: ToolResultBlock['content'] = texts.length > 0 ? texts : [{ text: '(no output)' }];
    const cache = turn.parts.findLast((part) => part.cache !== null)?.cache ?? null;
    return [{ toolResult: { toolUseId: toolUseId(turn.callId), content } }, ...this.#mark(cache, turn.path)];
  }

  #userPart(part: Part): ContentBlock[] {
    switch (part.type) {
      case 'text':
        return this.#text(part);
      case 'image':
        if (part.detail !== null && part.detail !== 'auto') {
          this.#fields.warn(`${part.path}.image_url.detail`, 'not taken by the provider, dropped');
        }
        return [this.#media.encode(part), ...this.#mark(part.cache, part.path)];
      case 'file':
        return [this.#media.encode(part), ...this.#mark(part.cache, part.path)];
      case 'audio':
        throw unsupportedContent(part, 'audio', this.#target.provider);
      default:
        return part satisfies never;
    }
  }

  /** The API wants a first user turn; a request of system texts alone becomes one. */
  #beginWithUser(): void {
    if (this.#messages[0]?.role === 'user') return;
    if (this.#messages.length === 0 && this.#system.length > 0) {
      this.#messages.push({ role: 'user', content: asContent(this.#system.splice(0)) });
      return;
    }
    this.#fields.warn('messages', 'the provider wants a user message first, an empty one was put there');
    this.#messages.unshift({ role: 'user', content: [{ text: '(no message)' }] });
  }

  /** A message with a document must have a text, too. */
  #explainDocuments(): void {
    for (const { content } of this.#messages) {
      const lacksText = content.some((block) => block.document) && !content.some((block) => block.text !== undefined);
      if (!lacksText) continue;
      this.#fields.warn('messages', 'the provider wants a text beside a document, "(see the document)" was put there');
      content.push({ text: '(see the document)' });
    }
  }

  /** Where a model has no system prompt, its texts open the first user turn. */
  #placeSystem(): void {
    const [first] = this.#messages;
    if (this.#system.length === 0 || takesSystem(this.#target.model) || !first) return;
    first.content.unshift(...asContent(this.#system.splice(0)));
  }
}

const asContent = (system: readonly SystemContentBlock[]): ContentBlock[] =>
  system.flatMap((block): ContentBlock[] => {
    if (block.text !== undefined) return [{ text: block.text }];
    return block.cachePoint === undefined ? [] : [{ cachePoint: block.cachePoint }];
  });

/** A trailing assistant turn is continued by the model; Claude refuses one that ends in white space. */
function trimPrefill(messages: readonly BedrockMessage[]): void {
  const last = messages.at(-1);
  const text = last?.role === 'assistant' ? last.content.at(-1)?.text : undefined;
  if (last && text !== undefined) last.content[last.content.length - 1] = { text: text.trimEnd() };
}

const LONGEST_ID = 64;

/** Ids of other providers may be longer, or of other characters, than the service takes. The same id always becomes the same. */
export function toolUseId(id: string): string {
  const clean = id.replace(/[^a-zA-Z0-9_-]/g, '_') || 'call';
  return clean.length <= LONGEST_ID ? clean : createHash('sha256').update(id).digest('hex');
}

type Document = NonNullable<NonNullable<ContentBlock['toolUse']>['input']>;

/** An object, as the service demands. */
function toolInput(text: string, path: string, fields: Fields): Document {
  if (text.trim() === '') return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Document;
  } catch {
    // Broken arguments stand in the history as they once came from a model.
  }
  fields.warn(`${path}.function.arguments`, 'not a JSON object, sent as {"arguments": ...}');
  return { arguments: text };
}
