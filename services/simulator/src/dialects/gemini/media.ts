import { decodeBase64, imageTypeOf, isPdf } from '../../media/sniff.ts';
import type { Medium } from '../../speech/conversation.ts';
import { badRequest, type Host } from './errors.ts';

const images = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif']);

function kindOf(mimeType: string): Medium['kind'] {
  if (images.has(mimeType)) return 'image';
  if (mimeType.startsWith('audio/')) return 'audio';
  if (mimeType === 'application/pdf' || mimeType === 'application/json') return 'file';
  if (mimeType.startsWith('text/') || mimeType.startsWith('video/')) return 'file';
  throw badRequest(`Unsupported MIME type: ${mimeType}`);
}

export function readInline(
  { data = '', mimeType = '', displayName = '' }: { data?: string; mimeType?: string; displayName?: string },
  host: Host,
): Medium {
  if (mimeType === '' || data === '')
    throw badRequest(
      host === 'vertex'
        ? 'Unable to submit request because it must have a mimeType and data parameter. Add a value to the parameter and try again.'
        : 'Unable to process input: inline_data needs mime_type and data.',
    );
  const kind = kindOf(mimeType);
  const bytes = decodeBase64(data, true) ?? Buffer.alloc(0);
  if (kind === 'image' && !mimeType.startsWith('image/hei') && imageTypeOf(bytes) === undefined)
    throw badRequest(
      'Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
    );
  if (mimeType === 'application/pdf' && !isPdf(bytes)) throw badRequest('The document has no pages.');
  return { kind, mediaType: mimeType, bytes: bytes.length, name: displayName };
}

/** A link: to Google's own storage, or public. Vertex needs to be told its type. */
export function readFileData({ fileUri = '', mimeType }: { fileUri?: string; mimeType?: string }, host: Host): Medium {
  if (!/^(https?|gs):\/\/./.test(fileUri)) throw badRequest(`Invalid or unsupported file uri: ${fileUri}`);
  if (fileUri.startsWith('gs://') && host === 'studio') throw badRequest(`Invalid or unsupported file uri: ${fileUri}`);
  if (mimeType === undefined && host === 'vertex')
    throw badRequest(
      'Unable to submit request because it must have a mimeType parameter. Add a value to the parameter and try again.',
    );
  return { kind: mimeType === undefined ? 'file' : kindOf(mimeType), mediaType: 'url', bytes: 0, name: fileUri };
}
