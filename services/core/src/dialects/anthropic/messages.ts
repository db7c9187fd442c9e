import type {
  ContentBlockParam,
  DocumentBlockParam,
  ImageBlockParam,
  MessageParam,
  TextBlockParam,
} from '@anthropic-ai/sdk/resources/messages';
import {
  type AssistantTurn,
  type CacheMark,
  type FilePart,
  type ImagePart,
  type Part,
  type TextPart,
  type ToolTurn,
  type Turn,
  unsupportedContent,
} from '../../chat/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';
import type { Fields } from '../translation/index.ts';
import { thinkingBlocks } from './thinking.ts';

export interface AnthropicConversation {
  readonly system: TextBlockParam[];
  readonly messages: MessageParam[];
}

const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;
type ImageType = (typeof IMAGE_TYPES)[number];

/**
 * Turns as the Messages API wants them: system texts apart, wherever they stood; user and assistant in alternation, turns of
 * one role joined; tool results inside user turns; no empty blocks.
 */
export function encodeMessages(
  turns: readonly Turn[],
  target: Target,
  media: FetchedMedia,
  fields: Fields,
): AnthropicConversation {
  const system: TextBlockParam[] = [];
  const messages: MessageParam[] = [];
  for (const turn of turns) {
    if (turn.role === 'system') system.push(...texts(turn.parts));
    else if (turn.role === 'assistant') append(messages, 'assistant', assistantBlocks(turn, fields));
    else if (turn.role === 'tool') append(messages, 'user', [toolResult(turn)]);
    else {
      if (turn.name !== null) fields.warn(`${turn.path}.name`, 'not taken by the provider, dropped');
      append(
        messages,
        'user',
        turn.parts.flatMap((part) => userBlocks(part, target, media, fields)),
      );
    }
  }
  beginWithUser(messages, system, fields);
  trimPrefill(messages);
  return { system, messages };
}

function append(messages: MessageParam[], role: 'user' | 'assistant', blocks: ContentBlockParam[]): void {
  if (blocks.length === 0) return;
  const last = messages.at(-1);
  if (last?.role === role && Array.isArray(last.content)) last.content.push(...blocks);
  else messages.push({ role, content: blocks });
}

/** The API wants a first user turn; a request of system texts alone becomes one. */
function beginWithUser(messages: MessageParam[], system: TextBlockParam[], fields: Fields): void {
  if (messages[0]?.role === 'user') return;
  if (messages.length === 0 && system.length > 0) {
    messages.push({ role: 'user', content: system.splice(0) });
    return;
  }
  fields.warn('messages', 'the provider wants a user message first, an empty one was put there');
  messages.unshift({ role: 'user', content: [{ type: 'text', text: '(no message)' }] });
}

/** A trailing assistant turn is continued by the model; the API refuses one that ends in white space. */
function trimPrefill(messages: MessageParam[]): void {
  const last = messages.at(-1);
  if (last?.role !== 'assistant' || !Array.isArray(last.content)) return;
  const block = last.content.at(-1);
  if (block?.type === 'text') block.text = block.text.trimEnd();
}

const cacheControl = (cache: CacheMark | null): Pick<TextBlockParam, 'cache_control'> => {
  if (cache === null) return {};
  return {
    cache_control: { type: 'ephemeral', ...(cache.ttl === '1h' || cache.ttl === '5m' ? { ttl: cache.ttl } : {}) },
  };
};

/** Blocks of white space alone are refused by the API, and say nothing. */
function texts(parts: readonly TextPart[]): TextBlockParam[] {
  return parts
    .filter(({ text }) => text.trim() !== '')
    .map(({ text, cache }) => ({ type: 'text', text, ...cacheControl(cache) }));
}

function assistantBlocks(turn: AssistantTurn, fields: Fields): ContentBlockParam[] {
  const blocks: ContentBlockParam[] = [...thinkingBlocks(turn, fields), ...texts(turn.parts)];
  if (turn.refusal) blocks.push({ type: 'text', text: turn.refusal });
  for (const call of turn.toolCalls) {
    if (call.thoughtSignature !== null) fields.warn(`${call.path}.extra_content`, 'not of this provider, dropped');
    blocks.push({
      type: 'tool_use',
      id: toolId(call.id),
      name: call.name,
      input: toolInput(call.arguments, call.path, fields),
    });
  }
  return blocks;
}

/** The API takes ids of these characters only; other providers' may have others. The same id always becomes the same. */
const toolId = (id: string): string => id.replace(/[^a-zA-Z0-9_-]/g, '_') || 'call';

function toolInput(text: string, path: string, fields: Fields): Record<string, unknown> {
  if (text.trim() === '') return {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, unknown>;
  } catch {
    // Broken arguments stand in the history as they once came from a model.
  }
  fields.warn(`${path}.function.arguments`, 'not a JSON object, sent as {"arguments": ...}');
  return { arguments: text };
}

function toolResult(turn: ToolTurn): ContentBlockParam {
  const content = texts(turn.parts);
  const cache = turn.parts.at(-1)?.cache ?? null;
  return {
    type: 'tool_result',
    tool_use_id: toolId(turn.callId),
    ...(content.length > 0 ? { content: content.map(({ text }) => ({ type: 'text' as const, text })) } : {}),
    ...cacheControl(cache),
  };
}

function userBlocks(part: Part, target: Target, media: FetchedMedia, fields: Fields): ContentBlockParam[] {
  switch (part.type) {
    case 'text':
      return texts([part]);
    case 'image':
      if (part.detail !== null && part.detail !== 'auto')
        fields.warn(`${part.path}.image_url.detail`, 'not taken by the provider, dropped');
      return [image(part, target, media)];
    case 'file':
      return [document(part, target, media)];
    case 'audio':
      throw unsupportedContent(part, 'audio', target.provider);
    default:
      return part satisfies never;
  }
}

function image(part: ImagePart | FilePart, target: Target, media: FetchedMedia): ImageBlockParam {
  const source = fetched(part.source, media);
  if (source.kind === 'url')
    return { type: 'image', source: { type: 'url', url: source.url }, ...cacheControl(part.cache) };
  if (source.kind === 'file_id') throw unsupportedContent(part, 'file ids of another provider', target.provider);
  const mediaType = source.mediaType === 'image/jpg' ? 'image/jpeg' : source.mediaType;
  if (!isImageType(mediaType)) throw unsupportedContent(part, `images of type ${mediaType}`, target.provider);
  return {
    type: 'image',
    source: { type: 'base64', media_type: mediaType, data: source.data },
    ...cacheControl(part.cache),
  };
}

const isImageType = (type: string): type is ImageType => (IMAGE_TYPES as readonly string[]).includes(type);

function document(part: FilePart, target: Target, media: FetchedMedia): DocumentBlockParam | ImageBlockParam {
  const source = fetched(part.source, media);
  const base = {
    type: 'document' as const,
    ...(part.filename ? { title: part.filename } : {}),
    ...cacheControl(part.cache),
  };
  if (source.kind === 'url') return { ...base, source: { type: 'url', url: source.url } };
  if (source.kind === 'file_id') throw unsupportedContent(part, 'file ids of another provider', target.provider);
  if (source.mediaType.startsWith('image/')) return image(part, target, media);
  if (source.mediaType === 'application/pdf') {
    return { ...base, source: { type: 'base64', media_type: 'application/pdf', data: source.data } };
  }
  if (source.mediaType.startsWith('text/') || source.mediaType === 'application/json') {
    const data = Buffer.from(source.data, 'base64').toString('utf8');
    return { ...base, source: { type: 'text', media_type: 'text/plain', data } };
  }
  throw unsupportedContent(part, `files of type ${source.mediaType}`, target.provider);
}

function fetched(source: ImagePart['source'], media: FetchedMedia): ImagePart['source'] {
  const bytes = source.kind === 'url' ? media.get(source.url) : undefined;
  return bytes ? { kind: 'data', ...bytes } : source;
}
