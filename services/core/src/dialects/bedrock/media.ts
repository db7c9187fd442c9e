import type { ContentBlock, DocumentFormat, ImageFormat, VideoFormat } from '@aws-sdk/client-bedrock-runtime';
import { type FilePart, type ImagePart, unsupportedContent } from '../../chat/index.ts';
import type { FetchedMedia, Target } from '../dialect.ts';

const IMAGE_FORMATS: Readonly<Record<string, ImageFormat>> = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/jpg': 'jpeg',
  'image/gif': 'gif',
  'image/webp': 'webp',
};

const DOCUMENT_FORMATS: Readonly<Record<string, DocumentFormat>> = {
  'application/pdf': 'pdf',
  'text/csv': 'csv',
  'application/msword': 'doc',
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'docx',
  'application/vnd.ms-excel': 'xls',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'xlsx',
  'text/html': 'html',
  'text/plain': 'txt',
  'application/json': 'txt',
  'application/xml': 'txt',
  'text/markdown': 'md',
};

const VIDEO_FORMATS: Readonly<Record<string, VideoFormat>> = {
  'video/mp4': 'mp4',
  'video/quicktime': 'mov',
  'video/webm': 'webm',
  'video/x-matroska': 'mkv',
  'video/mpeg': 'mpeg',
  'video/x-flv': 'flv',
  'video/x-ms-wmv': 'wmv',
  'video/3gpp': 'three_gp',
};

const TYPE_OF_EXTENSION: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  pdf: 'application/pdf',
  csv: 'text/csv',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  html: 'text/html',
  txt: 'text/plain',
  md: 'text/markdown',
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  webm: 'video/webm',
  mkv: 'video/x-matroska',
};

const S3 = /^s3:\/\//i;
/** Types that say nothing: the file's name may say more. */
const SAYS_NOTHING = new Set(['', 'application/octet-stream', 'binary/octet-stream']);

/** Images, documents and videos of one request, as Converse takes them: bytes, or objects in S3. */
export class MediaEncoder {
  readonly #target: Target;
  readonly #media: FetchedMedia;
  readonly #names = new Set<string>();

  constructor(target: Target, media: FetchedMedia) {
    this.#target = target;
    this.#media = media;
  }

  /** Throws a GatewayError (400 `unsupported_content`) for what Converse cannot take. */
  encode(part: ImagePart | FilePart): ContentBlock {
    const { source } = part;
    if (source.kind === 'file_id') {
      if (S3.test(source.id)) return this.#stored(part, source.id);
      throw unsupportedContent(part, 'file ids of another provider', this.#target.provider);
    }
    if (source.kind === 'url') {
      const fetched = this.#media.get(source.url);
      if (!fetched) throw unsupportedContent(part, 'URLs', this.#target.provider);
      return this.#inline(part, fetched.mediaType, fetched.data, nameIn(source.url));
    }
    // Neither a data URI nor http: read as data.
    if (S3.test(source.data)) return this.#stored(part, source.data);
    return this.#inline(part, source.mediaType, withoutSpace(source.data), null);
  }

  #stored(part: ImagePart | FilePart, uri: string): ContentBlock {
    const type = typeByName(uri) ?? (part.source.kind === 'data' ? part.source.mediaType : '');
    return this.#block(part, type, { s3Location: { uri } }, nameIn(uri));
  }

  #inline(part: ImagePart | FilePart, type: string, data: string, name: string | null): ContentBlock {
    return this.#block(part, type, { bytes: blob(data) }, name);
  }

  #block(part: ImagePart | FilePart, given: string, source: Source, fallbackName: string | null): ContentBlock {
    const name = part.type === 'file' ? (part.filename ?? fallbackName) : fallbackName;
    const plain = given.split(';')[0]?.trim().toLowerCase() ?? '';
    const type = SAYS_NOTHING.has(plain) ? (typeByName(name ?? '') ?? plain) : plain;
    const image = IMAGE_FORMATS[type];
    if (image) return { image: { format: image, source } };
    const { provider } = this.#target;
    if (part.type === 'image') throw unsupportedContent(part, `images of type ${type || 'unknown'}`, provider);
    const video = VIDEO_FORMATS[type];
    if (video) return { video: { format: video, source } };
    const format = DOCUMENT_FORMATS[type] ?? (type.startsWith('text/') ? 'txt' : undefined);
    if (!format) throw unsupportedContent(part, `files of type ${type || 'unknown'}`, provider);
    return { document: { format, name: this.#uniqueName(name), source } };
  }

  #uniqueName(filename: string | null): string {
    const name = documentName(filename);
    let unique = name;
    for (let i = 2; this.#names.has(unique); i++) unique = `${name.slice(0, LONGEST_NAME - 6)} (${i})`;
    this.#names.add(unique);
    return unique;
  }
}

type Source =
  | { readonly bytes: Uint8Array; readonly s3Location?: never }
  | { readonly bytes?: never; readonly s3Location: { readonly uri: string } };

/** Bytes in the SDK's types, base64 text in the JSON that it sends: here they stay what they came as. */
export const blob = (base64: string): Uint8Array => base64 as unknown as Uint8Array;

const LONGEST_NAME = 200;

/**
 * A name of the characters that the service allows: letters, digits, hyphens, parentheses, square brackets, and single
 * spaces. The extension goes: the format says it.
 */
export function documentName(filename: string | null): string {
  const base = (filename ?? '').replace(/^.*[/\\]/, '').replace(/\.[A-Za-z0-9]{1,5}$/, '');
  const name = base
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^A-Za-z0-9()[\]-]+/g, ' ')
    .trim()
    .slice(0, LONGEST_NAME)
    .trim();
  return name === '' ? 'document' : name;
}

const typeByName = (name: string): string | undefined =>
  TYPE_OF_EXTENSION[/\.([a-z0-9]+)(?:[?#].*)?$/i.exec(name)?.[1]?.toLowerCase() ?? ''];

/** The last step of a URL's path. */
function nameIn(url: string): string | null {
  const [path = ''] = url.split(/[?#]/, 1);
  const name = path.replace(/^[a-z0-9]+:\/\/[^/]*/i, '').replace(/^.*\//, '');
  return name === '' ? null : name;
}

/** The service decodes base64 strictly; clients break its lines. */
const withoutSpace = (data: string): string => (/\s/.test(data) ? data.replace(/\s+/g, '') : data);
