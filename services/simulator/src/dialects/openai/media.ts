import type { Medium } from '../../speech/conversation.ts';
import { badRequest } from './errors.ts';

const dataUri = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w=.-]+)*?;base64,/;

const signatures: readonly (readonly [string, (bytes: Buffer) => boolean])[] = [
  ['image/png', (b) => b.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))],
  ['image/jpeg', (b) => b.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))],
  ['image/gif', (b) => /^GIF8[79]a/.test(b.toString('latin1', 0, 6))],
  ['image/webp', (b) => b.toString('latin1', 0, 4) === 'RIFF' && b.toString('latin1', 8, 12) === 'WEBP'],
];

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
  const found = signatures.find(([, matches]) => matches(bytes));
  if (found === undefined)
    throw badRequest(
      "You uploaded an unsupported image. Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp'].",
      path,
      'invalid_image_format',
    );
  return { kind: 'image', mediaType: found[0], bytes: bytes.length, name: '' };
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
  if (mediaType === 'application/pdf' && bytes.toString('latin1', 0, 4) !== '%PDF')
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
  const base64 = uri.slice(prefix.length);
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0;
  const bytes = Buffer.from(base64, 'base64');
  // Node skips what is not base64, so broken input decodes to fewer bytes than its length promises.
  const promised = Math.floor(((base64.length - padding) * 3) / 4);
  return bytes.length > 0 && bytes.length === promised && !/[-_]/.test(base64) ? bytes : undefined;
}
