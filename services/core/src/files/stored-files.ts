import { ulid } from 'ulid';
import type { FilePolicy } from '../catalog/index.ts';
import { GatewayError } from '../errors/index.ts';
import type { RedisClient, RedisKeys } from '../redis/index.ts';
import type { Bodies } from './bodies.ts';
import type { FileDraft, FileObject, FilePage, FileQuery, FileStore, FileUpload } from './contract.ts';
import { type FileFacts, FileIndex, type FileTiming, type Garbage, USUAL_TIMING } from './file-index.ts';
import { RedisBodies } from './redis-bodies.ts';
import { StoredUpload } from './stored-upload.ts';
import { unavailable } from './unavailable.ts';

const OWNERS_AT_ONCE = 100;

export interface StoredFilesOptions {
  /** Of its own: what else a process asks of Redis must not wait behind large blocks. */
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  /** In force now; asked again for every file. */
  readonly policy: () => FilePolicy;
  readonly log: { warn(message: string, fields?: Readonly<Record<string, unknown>>): void };
  readonly timing?: FileTiming;
}

/**
 * Files whose facts stand in Redis, their bytes there too or in a bucket: new ones where the configuration says, old ones
 * stay readable where they are. The name of a body says where it is: `redis:<ulid>`, `s3:<ulid>`.
 */
export class StoredFiles implements FileStore {
  readonly #index: FileIndex;
  readonly #redis: RedisBodies;
  readonly #policy: () => FilePolicy;
  readonly #log: StoredFilesOptions['log'];
  #s3: { readonly settings: string; readonly bodies: Bodies } | null = null;

  constructor({ client, keys, policy, log, timing = USUAL_TIMING }: StoredFilesOptions) {
    this.#index = new FileIndex(client, keys, timing);
    this.#redis = new RedisBodies(client, keys);
    this.#policy = policy;
    this.#log = log;
  }

  async create(draft: FileDraft): Promise<FileUpload> {
    const policy = policyOf(draft, this.#policy());
    const body = `${policy.store}:${ulid()}`;
    const bodies = await this.#asked(() => this.#bodiesOf(body));
    const begun = await this.#asked(() => this.#index.begin(draft.owner, body, policy.maxFilesPerKey)).catch(
      (thrown) => {
        // A Redis that was only slow has begun it, or will: it is to end right behind that.
        this.#index.drop(draft.owner, body).catch(() => undefined);
        throw thrown;
      },
    );
    if (!begun) {
      throw new GatewayError(
        'invalid_request_error',
        `This key has ${policy.maxFilesPerKey} files, as many as it may (files.maxFilesPerKey). Delete some first.`,
        { param: 'file', code: 'file_limit_exceeded' },
      );
    }
    return new StoredUpload({
      draft,
      id: draft.id ?? `file-${ulid()}`,
      body,
      writer: bodies.open(bareName(body)),
      policy,
      index: this.#index,
      asked: (work) => this.#asked(work),
      discard: (garbage) => this.#discard(draft.owner, garbage),
    });
  }

  async get(owner: string, id: string): Promise<FileObject | null> {
    const facts = await this.#asked(() => this.#index.get(owner, id));
    return facts === null ? null : publicFacts(facts);
  }

  async list(owner: string, query: FileQuery): Promise<FilePage> {
    const page = await this.#asked(() => this.#index.list(owner, query));
    if (page === null) {
      throw new GatewayError(
        'invalid_request_error',
        `Invalid value for 'after': there is no such file in this list.`,
        {
          param: 'after',
          code: 'invalid_value',
        },
      );
    }
    return { files: page.files.map(publicFacts), hasMore: page.hasMore };
  }

  async delete(owner: string, id: string): Promise<boolean> {
    const facts = await this.#asked(() => this.#index.remove(owner, id));
    if (facts === null) return false;
    await this.#discard(owner, { body: facts.body, bytes: facts.bytes, finished: true });
    return facts.expiresAt * 1000 > Date.now();
  }

  async *read(owner: string, id: string, { from = 0 }: { readonly from?: number } = {}): AsyncIterable<Buffer> {
    const facts = await this.#asked(() => this.#index.get(owner, id));
    if (facts === null) throw fileNotFound(id);
    try {
      const bodies = await this.#bodiesOf(facts.body);
      yield* bodies.read(bareName(facts.body), facts.bytes, from);
    } catch (thrown) {
      const still = await this.#index.get(owner, id).catch(() => facts);
      throw still === null ? fileNotFound(id) : unavailable(thrown, this.#log);
    }
  }

  async sweep(): Promise<number> {
    let removed = 0;
    for (;;) {
      const owners = await this.#asked(() => this.#index.dueOwners(OWNERS_AT_ONCE));
      for (const owner of owners) {
        await this.#asked(() => this.#index.visit(owner));
        for (const garbage of await this.#asked(() => this.#index.garbage(owner))) {
          if (await this.#discard(owner, garbage)) removed += 1;
        }
      }
      if (owners.length < OWNERS_AT_ONCE) return removed;
    }
  }

  /** Removes a body that is garbage. What does not work now is done by the next sweep; false then. */
  async #discard(owner: string, { body, bytes, finished }: Garbage): Promise<boolean> {
    try {
      const bodies = await this.#bodiesOf(body);
      await bodies.remove(bareName(body), bytes, finished);
      await this.#index.forgetGarbage(owner, body);
      return true;
    } catch (error) {
      this.#log.warn('the bytes of a file could not be removed, they will be later', { error });
      await this.#index.retryLater(owner).catch(() => undefined);
      return false;
    }
  }

  async #bodiesOf(body: string): Promise<Bodies> {
    if (body.startsWith('redis:')) return this.#redis;
    const { s3 } = this.#policy();
    if (s3 === null) throw new Error('the file is in a bucket, and none is configured any more (files.bucket)');
    const settings = JSON.stringify(s3);
    if (this.#s3?.settings === settings) return this.#s3.bodies;
    // The SDK takes 30 MB of memory; most gateways have no bucket.
    const { S3Bodies } = await import('./s3-bodies.ts');
    const bodies = new S3Bodies(s3);
    this.#s3 = { settings, bodies };
    return bodies;
  }

  async #asked<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw unavailable(thrown, this.#log);
    }
  }
}

const bareName = (body: string): string => body.slice(body.indexOf(':') + 1);

/** Where its bytes are is nobody's business outside. */
function publicFacts({ id, bytes, createdAt, expiresAt, filename, purpose }: FileFacts): FileObject {
  return { id, bytes, createdAt, expiresAt, filename, purpose };
}

export function fileNotFound(id: string): GatewayError {
  return new GatewayError('not_found', `There is no file '${id.slice(0, 100)}' of this key, or it has expired.`, {
    param: 'id',
    code: 'file_not_found',
  });
}

/** What a batch has brought is paid for, and has room whatever else its owner has: caps are for what is uploaded. */
function policyOf({ purpose }: FileDraft, policy: FilePolicy): FilePolicy {
  const most = Number.MAX_SAFE_INTEGER;
  if (purpose !== 'batch_output') return policy;
  return { ...policy, maxFileBytes: most, maxBytesPerKey: most, maxFilesPerKey: most };
}
