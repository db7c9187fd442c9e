import { decodeBase64, imageTypeOf, isPdf } from '../../media/sniff.ts';
import type { Medium } from '../../speech/conversation.ts';
import { modelRefused, validation } from './errors.ts';
import type { WireBlock, WireDocument, WireImage } from './wire.ts';

const maxImageBytes = 3.75 * 1024 * 1024;
const maxDocumentBytes = 4.5 * 1024 * 1024;

const documentTypes: Readonly<Record<string, string>> = {
  pdf: 'application/pdf',
  csv: 'text/csv',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  html: 'text/html',
  txt: 'text/plain',
  md: 'text/markdown',
};

/** `path` is that of the block, such as `messages.0.content.1`. */
export function readImage({ format, source }: WireImage, path: string): Medium {
  const linked = linkOf(source, 'image');
  if (linked !== undefined) return linked;
  const bytes = bytesOf(source);
  if (bytes.length > maxImageBytes)
    throw modelRefused(`${path}.image.source.base64: image exceeds 3.75 MB maximum: ${bytes.length} bytes`);
  const actual = imageTypeOf(bytes);
  if (actual === undefined) throw modelRefused('Could not process image');
  if (actual !== `image/${format}`)
    throw modelRefused(
      `${path}.image.source.base64.data: Image does not match the provided media type image/${format}: the image appears to be a ${actual} image`,
    );
  return { kind: 'image', mediaType: actual, bytes: bytes.length, name: '' };
}

/** The name is checked here, too: it has rules that no pattern of a shape says. */
export function readDocument({ format = 'txt', name = '', source }: WireDocument, path: string): Medium {
  checkName(name);
  const linked = linkOf(source, 'file');
  if (linked !== undefined) return { ...linked, name };
  const mediaType = documentTypes[format] ?? 'text/plain';
  if (source?.text !== undefined || source?.content !== undefined) {
    const text = source.text ?? (source.content ?? []).map((piece) => piece.text ?? '').join('\n');
    return { kind: 'file', mediaType, bytes: Buffer.byteLength(text), name };
  }
  const bytes = bytesOf(source);
  if (format === 'pdf' && !isPdf(bytes))
    throw modelRefused(`${path}.document.source.base64.data: The PDF specified was not valid.`);
  if (format !== 'pdf' && bytes.length > maxDocumentBytes)
    throw validation(`The document at ${path} is larger than 4.5 MB.`);
  return { kind: 'file', mediaType, bytes: bytes.length, name };
}

function checkName(name: string): void {
  if (!/^[a-zA-Z0-9\s\-()[\]]+$/.test(name) || /\s\s/.test(name))
    throw validation(
      "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character. Check that the file name conforms to these restrictions and retry your request.",
    );
}

export function readSound({ format, source }: NonNullable<WireBlock['audio']>): Medium {
  return (
    linkOf(source, 'audio') ?? { kind: 'audio', mediaType: `audio/${format}`, bytes: bytesOf(source).length, name: '' }
  );
}

export function readVideo({ format, source }: NonNullable<WireBlock['video']>): Medium {
  return (
    linkOf(source, 'file') ?? { kind: 'file', mediaType: `video/${format}`, bytes: bytesOf(source).length, name: '' }
  );
}

type Source = { readonly bytes?: string; readonly s3Location?: { readonly uri?: string | undefined } } | undefined;

function linkOf(source: Source, kind: Medium['kind']): Medium | undefined {
  const uri = source?.s3Location?.uri;
  return uri === undefined ? undefined : { kind, mediaType: 'url', bytes: 0, name: uri };
}

/** The shape has proved that it is base64. */
function bytesOf(source: Source): Buffer {
  return decodeBase64(source?.bytes ?? '') ?? Buffer.alloc(0);
}
