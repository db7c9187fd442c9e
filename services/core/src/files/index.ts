export {
  FILE_PURPOSES,
  type FileDraft,
  type FileObject,
  type FilePage,
  type FilePurpose,
  type FileQuery,
  type FileStore,
  type FileUpload,
  LONGEST_EXPIRY_S,
  SHORTEST_EXPIRY_S,
  UPLOAD_PURPOSES,
} from './contract.ts';
export { fileNotFound, StoredFiles, type StoredFilesOptions } from './stored-files.ts';
export { fileTooLarge } from './stored-upload.ts';
