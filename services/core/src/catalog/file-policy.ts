import type { MessageInitShape } from '@bufbuild/protobuf';
import type { FileSettings, FileSettingsSchema } from '@headgate/proto/snapshot';
import type { Config } from '../config/index.ts';
import type { Unsealer } from './build-table.ts';
import type { Sealer } from './resolve.ts';

/** What the Files API keeps, and where. */
export interface FilePolicy {
  /** Where the bytes of new files go. */
  readonly store: 'redis' | 's3';
  readonly maxFileBytes: number;
  /** Of all files of one principal together. */
  readonly maxBytesPerKey: number;
  readonly maxFilesPerKey: number;
  /** Seconds; of files that do not say themselves. */
  readonly expiresAfterS: number;
  /** Null: no bucket is configured. */
  readonly s3: S3Policy | null;
}

export interface S3Policy {
  readonly bucket: string;
  readonly region: string;
  /** '': AWS. */
  readonly endpoint: string;
  readonly forcePathStyle: boolean;
  /** Names of objects begin with it. */
  readonly prefix: string;
  /** Opened; empty: those that AWS clients find by themselves. Never log. */
  readonly credentials: Readonly<Record<string, string>>;
}

/** An older control says nothing of files: what stands in the schema as default holds. */
export const DEFAULT_FILES: FilePolicy = {
  store: 'redis',
  maxFileBytes: 209_715_200,
  maxBytesPerKey: 1_073_741_824,
  maxFilesPerKey: 10_000,
  expiresAfterS: 2_592_000,
  s3: null,
};

const DEFAULT_REGION = 'us-east-1';
/** Credentials are sealed for one purpose; no provider can have this name. */
const SEALED_FOR = 'files:s3';

/** The `files` section of headgate.yaml, for the snapshot. */
export function fileSettings({ files }: Config, seal: Sealer): MessageInitShape<typeof FileSettingsSchema> {
  const settings = {
    store: files.store,
    maxFileBytes: BigInt(files.maxFileBytes),
    maxBytesPerKey: BigInt(files.maxBytesPerKey),
    maxFilesPerKey: files.maxFilesPerKey,
    expiresAfterSeconds: files.expiresAfterSeconds,
  };
  if (files.bucket === undefined) return settings;
  const { accessKeyId, secretAccessKey, sessionToken } = files;
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined
      ? null
      : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  return {
    ...settings,
    s3: {
      bucket: files.bucket,
      region: files.region ?? DEFAULT_REGION,
      endpoint: files.endpoint ?? '',
      forcePathStyle: files.forcePathStyle ?? files.endpoint !== undefined,
      prefix: files.prefix,
      sealedCredentials: credentials === null ? new Uint8Array() : seal(SEALED_FOR, credentials),
    },
  };
}

export function filePolicy(settings: FileSettings | undefined, open: Unsealer): FilePolicy {
  if (settings === undefined) return DEFAULT_FILES;
  const { s3 } = settings;
  return {
    store: settings.store === 's3' ? 's3' : 'redis',
    maxFileBytes: Number(settings.maxFileBytes),
    maxBytesPerKey: Number(settings.maxBytesPerKey),
    maxFilesPerKey: settings.maxFilesPerKey,
    expiresAfterS: settings.expiresAfterSeconds,
    s3:
      s3 === undefined
        ? null
        : {
            bucket: s3.bucket,
            region: s3.region,
            endpoint: s3.endpoint,
            forcePathStyle: s3.forcePathStyle,
            prefix: s3.prefix,
            credentials: s3.sealedCredentials.length === 0 ? {} : open(SEALED_FOR, s3.sealedCredentials),
          },
  };
}
