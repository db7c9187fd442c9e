import type { DocumentBlockParam, ImageBlockParam } from '@anthropic-ai/sdk/resources/messages';
import { decodeBase64, imageTypeOf, isPdf } from '../../media/sniff.ts';
import type { Medium } from '../../speech/conversation.ts';
import { badRequest, invalid } from './errors.ts';

/** `path` is that of the block, such as `messages.0.content.1`. */
export function readImage({ source }: ImageBlockParam, path: string): Medium {
  if (source.type === 'url') return linked('image', source.url);
  if (source.type === 'file') return { kind: 'image', mediaType: 'file_id', bytes: 0, name: source.file_id };
  const at = `${path}.image.source.base64`;
  const bytes = decodeBase64(source.data);
  if (bytes === undefined) throw invalid(`${at}.data`, 'invalid base64 data');
  const actual = imageTypeOf(bytes);
  if (actual === undefined) throw badRequest('Could not process image');
  if (actual !== source.media_type)
    throw invalid(
      `${at}.data`,
      `Image does not match the provided media type ${source.media_type}: the image appears to be a ${actual} image`,
    );
  return { kind: 'image', mediaType: actual, bytes: bytes.length, name: '' };
}

/** A document, and the text that it is made of when it is plain text. */
export function readDocument({ source, title }: DocumentBlockParam, path: string): Medium {
  const name = title ?? '';
  switch (source.type) {
    case 'url':
      return linked('file', source.url);
    case 'file':
      return { kind: 'file', mediaType: 'file_id', bytes: 0, name: name || source.file_id };
    case 'text':
      if (source.data === '') throw invalid(`${path}.document.source.text.data`, 'document text must be non-empty');
      return { kind: 'file', mediaType: 'text/plain', bytes: Buffer.byteLength(source.data), name };
    case 'content':
      return { kind: 'file', mediaType: 'content', bytes: Buffer.byteLength(JSON.stringify(source.content)), name };
    case 'base64': {
      const bytes = decodeBase64(source.data);
      if (bytes === undefined) throw invalid(`${path}.document.source.base64.data`, 'invalid base64 data');
      if (!isPdf(bytes)) throw invalid(`${path}.document.source.base64.data`, 'The PDF specified was not valid.');
      return { kind: 'file', mediaType: 'application/pdf', bytes: bytes.length, name };
    }
  }
}

function linked(kind: Medium['kind'], url: string): Medium {
  if (!url.startsWith('https://')) throw badRequest('Only HTTPS URLs are supported.');
  return { kind, mediaType: 'url', bytes: 0, name: url };
}
