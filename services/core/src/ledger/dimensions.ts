import { CredentialType, type UsageRecord } from '@headgate/proto/usage';

/** By what reports can be grouped and filtered (WIRE 2.7), and by what the admin API can besides. */
export interface Dimensions {
  readonly user: string;
  readonly model: string;
  readonly provider: string;
  readonly credentialType: 'system' | 'byok';
  /** Sorted. */
  readonly tags: readonly string[];
  readonly group: string;
  readonly keyName: string;
}

/** The name of one row of sums: equal dimensions have equal names. */
export function dimensionsOf(record: UsageRecord): string {
  const { user, model, provider, tags, group, keyName } = record;
  const credentialType = record.credentialType === CredentialType.BYOK ? 'byok' : 'system';
  return JSON.stringify([user, model, provider, credentialType, [...tags].sort(), group, keyName]);
}

export function readDimensions(name: string): Dimensions {
  const [user, model, provider, credentialType, tags, group, keyName] = JSON.parse(name) as [
    string,
    string,
    string,
    'system' | 'byok',
    string[],
    string,
    string,
  ];
  return { user, model, provider, credentialType, tags, group, keyName };
}
