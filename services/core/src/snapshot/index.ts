export { type FeedLog, type Serving, SnapshotFeed, type SnapshotFeedOptions } from './feed.ts';
export { type KeyChange, KeyStore, type StoredKey } from './key-store.ts';
export { type Published, SnapshotPublisher, type SyncedKeys, snapshotDigest } from './publisher.ts';
export { CredentialSeal, requireSecret } from './seal.ts';
