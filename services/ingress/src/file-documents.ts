import type { FileObject } from '@headgate/core/files';

/** A file as OpenAI shows it (WIRE 2.14). */
export function fileDocument({ id, bytes, createdAt, expiresAt, filename, purpose }: FileObject) {
  return {
    id,
    object: 'file',
    bytes,
    created_at: createdAt,
    expires_at: expiresAt,
    filename,
    purpose,
    status: 'processed',
    status_details: null,
  };
}

/** `content-disposition` of a download (RFC 6266): the name for old clients without what they might misread, and the name. */
export function attachment(filename: string): string {
  const plain = filename.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const exact = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
