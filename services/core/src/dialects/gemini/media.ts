import type { Part } from '@google/genai';
import {
  type AudioPart,
  type ChatRequest,
  type FilePart,
  fullBody,
  type ImagePart,
  readConversation,
  type Turn,
  unsupportedContent,
} from '../../chat/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';

/** What the models see and hear (https://ai.google.dev/gemini-api/docs/file-input-methods). */
const IMAGE_TYPES = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif']);
const TEXT_TYPES = new Set([
  'text/plain',
  'text/html',
  'text/css',
  'text/csv',
  'text/xml',
  'text/rtf',
  'text/javascript',
]);
/** Text all the same, by other names. */
const READ_AS_TEXT =
  /^(text\/.*|application\/(json|xml|yaml|x-yaml|javascript|x-javascript|typescript|x-sh|sql)|.*\+(json|xml))$/;

/** Google's own: these URLs go to the model as they are, all others are fetched by the gateway. */
const GOOGLE_FILE =
  /^(gs:\/\/|https:\/\/generativelanguage\.googleapis\.com\/|https?:\/\/((www|m|music)\.)?youtube\.com\/|https?:\/\/youtu\.be\/)/i;
const YOUTUBE = /^https?:\/\/((www|m|music)\.)?(youtube\.com|youtu\.be)\//i;

const isGoogleFile = (url: string, target: Target): boolean =>
  GOOGLE_FILE.test(url) || url.startsWith(`${target.baseUrl}/v1beta/files/`);

/** URLs of a request that neither model fetches; `mayPass` are those that it does. */
export function urlsToFetch(request: ChatRequest, mayPass: (url: string) => boolean = () => false): string[] {
  const urls = urlsOf(readConversation(request.outline));
  // Only an outline that is cut has to be read again, and only when there is something to fetch.
  const whole = urls.length > 0 && request.shortened ? urlsOf(readConversation(fullBody(request))) : urls;
  return [...new Set(whole)].filter((url) => !mayPass(url));
}

export const googleUrlsToFetch = (request: ChatRequest, target: Target): string[] =>
  urlsToFetch(request, (url) => isGoogleFile(url, target));

function urlsOf(turns: readonly Turn[]): string[] {
  return turns.flatMap(({ parts }) =>
    parts.flatMap((part) =>
      (part.type === 'image' || part.type === 'file') && part.source.kind === 'url' ? [part.source.url] : [],
    ),
  );
}

/** An image or a file. Throws a GatewayError (400 `unsupported_content`) for what Gemini cannot take. */
export function encodeMedia(part: ImagePart | FilePart, target: Target, media: FetchedMedia): Part {
  const { source } = part;
  if (source.kind === 'file_id') return uploadedFile(part, source.id, target);
  // Not http, so it is read as data.
  if (source.kind === 'data' && source.data.startsWith('gs://')) {
    return { fileData: { fileUri: source.data, mimeType: typeByName(source.data) ?? source.mediaType } };
  }
  if (source.kind === 'data') return inline(part, source.mediaType, source.data, target);
  const fetched = media.get(source.url);
  if (fetched) return inline(part, fetched.mediaType, fetched.data, target);
  if (!isGoogleFile(source.url, target)) throw unsupportedContent(part, 'this URL', target.provider);
  const mimeType = YOUTUBE.test(source.url) ? 'video/mp4' : typeByName(source.url);
  return { fileData: { fileUri: source.url, ...(mimeType === undefined ? {} : { mimeType }) } };
}

/** A file uploaded to Google's Files API, by its name (`files/...`). */
function uploadedFile(part: ImagePart | FilePart, id: string, target: Target): Part {
  if (/^(gs|https?):\/\//.test(id)) return { fileData: { fileUri: id } };
  if (!id.startsWith('files/')) throw unsupportedContent(part, 'file ids of another provider', target.provider);
  return { fileData: { fileUri: `https://generativelanguage.googleapis.com/v1beta/${id}` } };
}

function inline(part: ImagePart | FilePart, given: string, data: string, { provider }: Target): Part {
  const type = given.split(';')[0]?.trim().toLowerCase() ?? '';
  const mimeType = type === 'image/jpg' ? 'image/jpeg' : type;
  if (mimeType.startsWith('image/')) {
    if (!IMAGE_TYPES.has(mimeType)) throw unsupportedContent(part, `images of type ${mimeType}`, provider);
    return { inlineData: { mimeType, data } };
  }
  if (part.type === 'image') throw unsupportedContent(part, `images of type ${mimeType}`, provider);
  if (mimeType === 'application/pdf' || /^(audio|video)\//.test(mimeType) || TEXT_TYPES.has(mimeType)) {
    return { inlineData: { mimeType, data } };
  }
  if (READ_AS_TEXT.test(mimeType)) return { inlineData: { mimeType: 'text/plain', data } };
  throw unsupportedContent(part, `files of type ${mimeType}`, provider);
}

export function encodeAudio({ data, format }: AudioPart): Part {
  const plain = data.startsWith('data:') ? data.slice(data.indexOf(',') + 1) : data;
  return { inlineData: { mimeType: `audio/${format.toLowerCase()}`, data: plain } };
}

const TYPE_OF_EXTENSION: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  heic: 'image/heic',
  heif: 'image/heif',
  pdf: 'application/pdf',
  txt: 'text/plain',
  md: 'text/plain',
  csv: 'text/csv',
  html: 'text/html',
  mp3: 'audio/mp3',
  wav: 'audio/wav',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  webm: 'video/webm',
};

const typeByName = (url: string): string | undefined =>
  TYPE_OF_EXTENSION[/\.([a-z0-9]+)(?:[?#].*)?$/i.exec(url)?.[1]?.toLowerCase() ?? ''];
