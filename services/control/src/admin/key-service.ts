import { clone, create } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { KeyHasher, sha256 } from '@headgate/core/identity';
import type { KeyChange, KeyStore, StoredKey } from '@headgate/core/snapshot';
import type { Logger } from '@headgate/core/telemetry';
import type {
  CreateKeyRequest,
  CreateKeyResponse,
  DeleteKeyRequest,
  GetKeyRequest,
  KeyService,
  ListKeysRequest,
  ListKeysResponse,
  RotateKeyRequest,
  RotateKeyResponse,
  UpdateKeyRequest,
} from '@headgate/proto/admin';
import {
  CreateKeyResponseSchema,
  DeleteKeyResponseSchema,
  GetKeyResponseSchema,
  ListKeysResponseSchema,
  RotateKeyResponseSchema,
  UpdateKeyResponseSchema,
} from '@headgate/proto/admin';
import { type ApiKey, ApiKeyOrigin, ApiKeySchema } from '@headgate/proto/api_key';
import { ulid } from 'ulid';
import { applyUpdate, checkUpdate } from './key-changes.ts';
import {
  checkBudget,
  checkExpiry,
  checkGroup,
  checkLimits,
  checkModels,
  checkName,
  checkQueue,
  completeBudget,
  completeQueue,
} from './key-input.ts';
import { hintOf, newKeyText } from './key-secret.ts';
import { etagOf, keyView } from './key-view.ts';
import { peerOf } from './peer.ts';
import { Problems } from './problems.ts';

const USUAL_PAGE = 100;
const LARGEST_PAGE = 1000;
/** The id of the last key of the page before; none for the first page. */
const PAGE_TOKEN = /^(key_[0-9A-Z]{26})?$/;
const LONGEST_OVERLAP_S = 30 * 24 * 3600;
/** Somebody else was faster: the change is made anew on what stands now. */
const TRIES = 5;

export interface KeyServiceOptions {
  readonly store: KeyStore;
  /** HEADGATE_SECRET. */
  readonly secret: string;
  readonly log: Logger;
}

/** KeyService of the admin API: what is refused is a ConnectError; whatever else is thrown is Redis's. */
export class Keys implements ServiceImpl<typeof KeyService> {
  readonly #store: KeyStore;
  readonly #hasher: KeyHasher;
  readonly #log: Logger;

  constructor({ store, secret, log }: KeyServiceOptions) {
    this.#store = store;
    this.#hasher = new KeyHasher(secret);
    this.#log = log;
  }

  async createKey(request: CreateKeyRequest, context: HandlerContext): Promise<CreateKeyResponse> {
    const nowMs = Date.now();
    checkCreation(request, nowMs);
    const { name, group, models, expiresAtMs, limits, budget, queue } = request;
    await this.#refuseConfiguredName(name);
    const text = newKeyText();
    const key = create(ApiKeySchema, {
      id: `key_${ulid(nowMs)}`,
      name,
      group,
      models,
      expiresAtMs,
      origin: ApiKeyOrigin.ADMIN,
      createdAtMs: BigInt(nowMs),
      hash: this.#hashOf(text),
      hint: hintOf(text),
      ...(limits === undefined ? {} : { limits }),
      ...(budget === undefined ? {} : { budget: completeBudget(budget) }),
      ...(queue === undefined ? {} : { queue: completeQueue(queue) }),
    });
    refuseTaken(await this.#store.create(key), name);
    this.#audit('API key created', key, context);
    return create(CreateKeyResponseSchema, { key: keyView(key, nowMs), secret: text });
  }

  async listKeys({ group, pageSize, pageToken }: ListKeysRequest): Promise<ListKeysResponse> {
    const problems = new Problems();
    if (pageSize > LARGEST_PAGE) problems.add('pageSize', `${pageSize}`, `at most ${LARGEST_PAGE}`);
    if (!PAGE_TOKEN.test(pageToken)) problems.add('pageToken', 'something else', 'nextPageToken of an answer');
    problems.throwIfAny();
    const size = pageSize === 0 ? USUAL_PAGE : pageSize;
    const all = await this.#store.list();
    const left = all.filter((key) => key.id > pageToken && (group === '' || key.group === group));
    const page = left.slice(0, size);
    const nowMs = Date.now();
    return create(ListKeysResponseSchema, {
      keys: page.map((key) => keyView(key, nowMs)),
      nextPageToken: left.length > size ? (page.at(-1)?.id ?? '') : '',
    });
  }

  async getKey({ id }: GetKeyRequest) {
    const { key } = await this.#find(id);
    return create(GetKeyResponseSchema, { key: keyView(key, Date.now()) });
  }

  async updateKey(request: UpdateKeyRequest, context: HandlerContext) {
    const nowMs = Date.now();
    const changed = checkUpdate(request, nowMs);
    const key = await this.#change(request.id, async (stored) => {
      if (request.etag !== undefined && request.etag !== etagOf(stored)) throw changedMeanwhile(stored.id);
      if (request.name !== undefined && request.name !== stored.name) await this.#refuseConfiguredName(request.name);
      return applyUpdate(stored, request, nowMs);
    });
    this.#audit('API key changed', key, context, { changed });
    return create(UpdateKeyResponseSchema, { key: keyView(key, nowMs) });
  }

  async rotateKey({ id, overlapSeconds }: RotateKeyRequest, context: HandlerContext): Promise<RotateKeyResponse> {
    const nowMs = Date.now();
    const problems = new Problems();
    if (overlapSeconds > LONGEST_OVERLAP_S) {
      problems.add('overlapSeconds', `${overlapSeconds}`, `at most ${LONGEST_OVERLAP_S}, which is 30 days`);
    }
    problems.throwIfAny();
    const text = newKeyText();
    const key = await this.#change(id, (stored) => {
      if (stored.expiresAtMs !== 0n && stored.expiresAtMs <= BigInt(nowMs)) {
        throw new ConnectError(`key ${id} has expired: give it another expiresAtMs first`, Code.FailedPrecondition);
      }
      const rotated = clone(ApiKeySchema, stored);
      rotated.hash = this.#hashOf(text);
      rotated.hint = hintOf(text);
      rotated.previousHash = overlapSeconds === 0 ? new Uint8Array() : stored.hash;
      rotated.previousExpiresAtMs = overlapSeconds === 0 ? 0n : BigInt(nowMs + overlapSeconds * 1000);
      return rotated;
    });
    this.#audit('API key rotated', key, context, { overlapSeconds });
    return create(RotateKeyResponseSchema, { key: keyView(key, nowMs), secret: text });
  }

  async deleteKey({ id }: DeleteKeyRequest, context: HandlerContext) {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const stored = await this.#changeable(id);
      if ((await this.#store.remove(stored)) === 'changed') continue;
      this.#audit('API key deleted', stored.key, context);
      return create(DeleteKeyResponseSchema);
    }
    throw changedMeanwhile(id);
  }

  /** Makes a change on the newest state of a key, so that no change of somebody else is lost. */
  async #change(id: string, change: (key: ApiKey) => ApiKey | Promise<ApiKey>): Promise<ApiKey> {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const stored = await this.#changeable(id);
      const after = await change(stored.key);
      const outcome = await this.#store.replace(stored, after);
      if (outcome === 'changed') continue;
      refuseTaken(outcome, after.name);
      return after;
    }
    throw changedMeanwhile(id);
  }

  async #find(id: string): Promise<StoredKey> {
    if (id === '') throw new ConnectError('id: found nothing, expected the id of a key', Code.InvalidArgument);
    const stored = await this.#store.get(id);
    if (stored === null) throw new ConnectError('there is no key of this id', Code.NotFound);
    return stored;
  }

  async #changeable(id: string): Promise<StoredKey> {
    const stored = await this.#find(id);
    if (stored.key.origin === ApiKeyOrigin.ADMIN) return stored;
    throw new ConnectError(
      `key ${id} comes from headgate.yaml or HEADGATE_API_KEY: change it there, it is taken up within a second`,
      Code.FailedPrecondition,
    );
  }

  async #refuseConfiguredName(name: string): Promise<void> {
    if ((await this.#store.configuredNames()).has(name)) refuseTaken('name taken', name);
  }

  #hashOf(text: string): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#hasher.keyedHash(sha256(text)));
  }

  #audit(message: string, key: ApiKey, { values }: HandlerContext, more: Record<string, unknown> = {}): void {
    const { id, name, group } = key;
    this.#log.info(message, { audit: true, keyId: id, keyName: name, group, peer: peerOf(values), ...more });
  }
}

function checkCreation(request: CreateKeyRequest, nowMs: number): void {
  const problems = new Problems();
  checkName(request.name, problems);
  checkGroup(request.group, problems);
  checkModels(request.models, problems);
  checkExpiry(request.expiresAtMs, nowMs, problems);
  checkLimits(request.limits, problems);
  checkBudget(request.budget, problems);
  checkQueue(request.queue, problems);
  problems.throwIfAny();
}

function refuseTaken(outcome: KeyChange, name: string): void {
  if (outcome !== 'name taken') return;
  throw new ConnectError(
    `name: another key is called ${JSON.stringify(name)}; expected a name of its own`,
    Code.AlreadyExists,
  );
}

function changedMeanwhile(id: string): ConnectError {
  return new ConnectError(
    `key ${id} was changed by somebody else meanwhile: look at it anew, then try again`,
    Code.Aborted,
  );
}
