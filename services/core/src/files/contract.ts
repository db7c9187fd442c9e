/**
 * Files of callers: input of batches and what batches answer (WIRE 2.14). A file belongs to one owner, a principal's id;
 * for everyone else it does not exist. It is written once and read often, by streams: nobody ever holds a whole one.
 */

/** What clients may upload. */
export const UPLOAD_PURPOSES = ['batch', 'assistants', 'fine-tune', 'vision', 'user_data', 'evals'] as const;

/** All there are: those of uploads, and what a batch makes. */
export const FILE_PURPOSES = [...UPLOAD_PURPOSES, 'batch_output'] as const;

export type FilePurpose = (typeof FILE_PURPOSES)[number];

/** Seconds; what `expires_after[seconds]` takes. */
export const SHORTEST_EXPIRY_S = 3_600;
export const LONGEST_EXPIRY_S = 2_592_000;

/** A finished file. Times are seconds since the epoch, by the clock of Redis. */
export interface FileObject {
  /** `file-` and a ULID, or what the draft asked for. */
  readonly id: string;
  readonly bytes: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly filename: string;
  readonly purpose: FilePurpose;
}

export interface FileDraft {
  /** `Principal.id` */
  readonly owner: string;
  readonly filename: string;
  readonly purpose: FilePurpose;
  /** Null: as configured (`files.expiresAfterSeconds`). */
  readonly expiresAfterS: number | null;
  /**
   * Lets who makes a file ask for its id, so that work which is done twice makes one file: whichever upload finishes
   * first is the file, and `finish` of any later one returns it and drops what it has written itself.
   */
  readonly id?: string;
}

/** One file on its way in: invisible until `finish`, gone after `abort`, or by itself some time after its last write. */
export interface FileUpload {
  readonly id: string;
  /** So far. */
  readonly bytes: number;
  /**
   * Takes the next bytes; they may be overwritten once it has resolved. One call at a time. Rejects with a GatewayError:
   * 400 `file_too_large` | `storage_limit_exceeded`, or 503 `files_unavailable`; then `abort` is all that is left.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the file appear, at once and whole. What a multipart upload says behind its file may be told here. */
  finish(late?: Partial<Pick<FileDraft, 'purpose' | 'expiresAfterS'>>): Promise<FileObject>;
  /** Leaves nothing behind; harmless when repeated, or after `finish`. Never rejects. */
  abort(): Promise<void>;
}

export interface FileQuery {
  /** Id of the last file of the page before; must be one of the list. */
  readonly after?: string;
  /** 1 to 10,000 */
  readonly limit: number;
  /** By time of creation. */
  readonly order: 'asc' | 'desc';
  readonly purpose?: FilePurpose;
}

export interface FilePage {
  readonly files: readonly FileObject[];
  readonly hasMore: boolean;
}

/** Rejects with GatewayErrors only: 503 `files_unavailable` when what holds the files does not answer. */
export interface FileStore {
  /** Rejects with 400 `file_limit_exceeded` when the owner has as many files as it may. */
  create(draft: FileDraft): Promise<FileUpload>;
  /** Null: this owner has no such file. */
  get(owner: string, id: string): Promise<FileObject | null>;
  /** Rejects with 400 `invalid_value`, param `after`, when the list has no such file. */
  list(owner: string, query: FileQuery): Promise<FilePage>;
  /** False: this owner has no such file. */
  delete(owner: string, id: string): Promise<boolean>;
  /**
   * The bytes from `from` (default 0) to the end, in pieces of at most 256 KB, read as they are taken. Its first step
   * rejects with 404 `file_not_found` when this owner has no such file, any step when the file is deleted meanwhile.
   * Leaving the loop early closes what is open.
   */
  read(owner: string, id: string, options?: { readonly from?: number }): AsyncIterable<Buffer>;
  /**
   * Removes what has expired, what uploads of dead processes have left, and what could not be deleted when it should have
   * been. To be called every minute or so by any process; the number of bodies that it removed.
   */
  sweep(): Promise<number>;
}
