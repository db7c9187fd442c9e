import { stringEnd } from '../json/index.ts';
import type { RequestFeatures } from '../routing/index.ts';
import type { ChatRequest } from './request.ts';
import type { ChatBody, ChatMessage } from './schema.ts';

/** English text has about so many to a token, and JSON around it evens out texts that have fewer. */
const BYTES_PER_TOKEN = 4;
/** Shorter strings weigh nothing against the uncertainty of the rest. */
const LONG_STRING = 1_024;
const QUOTE = 0x22;

/** What a request needs of an endpoint, read from its outline; `promptTokens` is rough, and counts no images or files. */
export function readFeatures(request: ChatRequest): RequestFeatures {
  const { outline } = request;
  const media = readMedia(outline.messages);
  const bytes =
    request.body.length - (media.images || media.files || media.audio ? binaryBytes(request.body.original()) : 0);
  return {
    images: media.images,
    files: media.files,
    audio: media.audio,
    tools: hasElements(outline.tools) || hasElements(outline.functions),
    jsonSchema: wantsSchema(outline.response_format),
    promptTokens: Math.ceil(bytes / BYTES_PER_TOKEN),
    maxOutputTokens: outline.max_completion_tokens ?? outline.max_tokens ?? null,
  };
}

interface Media {
  images: boolean;
  files: boolean;
  audio: boolean;
}

function readMedia(messages: readonly ChatMessage[]): Media {
  const media: Media = { images: false, files: false, audio: false };
  for (const message of messages) {
    if (message.role !== 'user' || typeof message.content === 'string') continue;
    for (const part of message.content) {
      if (part.type === 'image_url') media.images = true;
      else if (part.type === 'input_audio') media.audio = true;
      else if (part.type === 'file') media[kindOf(part.file)] = true;
    }
  }
  return media;
}

/** Images and audio may come as files, too (WIRE 2.2); the type is said beside the data, or in its data URI. */
function kindOf(file: { media_type?: string | undefined; file_data?: string | undefined; data?: string | undefined }) {
  const data = file.file_data ?? file.data ?? '';
  const type = file.media_type ?? (data.startsWith('data:') ? data.slice(5, 64) : '');
  if (type.startsWith('image/')) return 'images';
  return type.startsWith('audio/') ? 'audio' : 'files';
}

function wantsSchema(format: ChatBody['response_format']): boolean {
  return format?.type === 'json_schema' || (format?.type === 'json' && typeof format.schema === 'object');
}

const hasElements = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

/** Bytes of long strings that are base64, bare or in a data URI. */
function binaryBytes(body: Buffer): number {
  let binary = 0;
  for (let i = 0; i < body.length; i++) {
    if (body[i] !== QUOTE) continue;
    const close = stringEnd(body, i);
    if (close < 0) break;
    if (close - i > LONG_STRING && isBase64(body.toString('latin1', i + 1, i + LONG_STRING))) binary += close - i;
    i = close;
  }
  return binary;
}

const isBase64 = (start: string): boolean => /^(data:[^,"]{0,256},)?[A-Za-z0-9+/=_-]*$/.test(start);
