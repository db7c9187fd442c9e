import { decodeBase64, imageTypeOf, isPdf } from '../../media/sniff.ts';
import type { Medium } from '../../speech/conversation.ts';
import { badRequest } from './errors.ts';

const dataUri = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w=.-]+)*?;base64,/;

/** An image part's URL: a link is taken as it is, a data URI must hold the bytes of a real image. */
export function readImage(url: string, path: string): Medium {
  if (/^https?:\/\//.test(url)) return { kind: 'image', mediaType: 'url', bytes: 0, name: url };
  const bytes = decode(url);
  if (bytes === undefined)
    throw badRequest(
      `Invalid '${path}'. Expected a valid URL or a base64-encoded data URL with an image MIME type (e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU='), but got a value without the 'data:' prefix.`,
      path,
      'invalid_value',
    );
  const mediaType = imageTypeOf(bytes);
  if (mediaType === undefined)
    throw badRequest(
      "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp'].",
      path,
      'invalid_image_format',
    );
  return { kind: 'image', mediaType, bytes: bytes.length, name: '' };
}

/** A file part: an id, or a data URI; what says it is a PDF must begin like one. */
export function readFile(file: Readonly<Record<string, unknown>>, path: string): Medium {
  const name = typeof file.filename === 'string' ? file.filename : '';
  if (typeof file.file_id === 'string')
    return { kind: 'file', mediaType: 'file_id', bytes: 0, name: name || file.file_id };
  if (typeof file.file_data !== 'string')
    throw badRequest(
      `Missing required parameter: '${path}.file_data'.`,
      `${path}.file_data`,
      'missing_required_parameter',
    );
  const bytes = decode(file.file_data);
  const mediaType = dataUri.exec(file.file_data)?.[1];
  if (bytes === undefined || mediaType === undefined)
    throw badRequest(
      `Invalid '${path}.file_data'. Expected a base64-encoded data URL with a MIME type (e.g. 'data:application/pdf;base64,...'), but got an unsupported value.`,
      `${path}.file_data`,
      'invalid_value',
    );
  if (mediaType === 'application/pdf' && !isPdf(bytes))
    throw badRequest(
      `The file '${name}' could not be read: it is not a valid PDF.`,
      `${path}.file_data`,
      'invalid_file',
    );
  return { kind: 'file', mediaType, bytes: bytes.length, name };
}

/** The bytes of a base64 data URI; undefined when it is none, or its base64 is broken. */
function decode(uri: string): Buffer | undefined {
  const prefix = dataUri.exec(uri)?.[0];
  if (prefix === undefined) return undefined;
  return decodeBase64(uri.slice(prefix.length));
}
