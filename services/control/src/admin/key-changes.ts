import { clone } from '@bufbuild/protobuf';
import type { UpdateKeyRequest } from '@headgate/proto/admin';
import { type ApiKey, ApiKeySchema } from '@headgate/proto/api_key';
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
import { hasPrevious } from './key-view.ts';
import { Problems } from './problems.ts';

/** Names of what is to change; throws a ConnectError when something cannot be, or nothing is. */
export function checkUpdate(request: UpdateKeyRequest, nowMs: number): string[] {
  const { name, group, disabled, expiresAtMs, models, limits, budget, removeBudget, queue, removeQueue } = request;
  const problems = new Problems();
  if (name !== undefined) checkName(name, problems);
  if (group !== undefined) checkGroup(group, problems);
  if (models !== undefined) checkModels(models.patterns, problems);
  if (expiresAtMs !== undefined) checkExpiry(expiresAtMs, nowMs, problems);
  checkLimits(limits, problems);
  checkBudget(budget, problems);
  checkQueue(queue, problems);
  if (budget !== undefined && removeBudget) problems.add('removeBudget', 'a budget beside it', 'one of the two');
  if (queue !== undefined && removeQueue) problems.add('removeQueue', 'a queue beside it', 'one of the two');
  const changes = {
    name: name !== undefined,
    group: group !== undefined,
    disabled: disabled !== undefined,
    expiresAtMs: expiresAtMs !== undefined,
    models: models !== undefined,
    limits: limits !== undefined,
    budget: budget !== undefined || removeBudget,
    queue: queue !== undefined || removeQueue,
  };
  const changed = Object.entries(changes).flatMap(([field, isSo]) => (isSo ? [field] : []));
  if (changed.length === 0)
    problems.add('request', 'nothing to change', `at least one of ${Object.keys(changes).join(', ')}`);
  problems.throwIfAny();
  return changed;
}

/** The key with what a checked request names. */
export function applyUpdate(key: ApiKey, request: UpdateKeyRequest, nowMs: number): ApiKey {
  const { limits, budget, queue } = request;
  const after = clone(ApiKeySchema, key);
  after.name = request.name ?? key.name;
  after.group = request.group ?? key.group;
  after.disabled = request.disabled ?? key.disabled;
  after.expiresAtMs = request.expiresAtMs ?? key.expiresAtMs;
  if (request.models !== undefined) after.models = request.models.patterns;
  if (limits !== undefined) after.limits = limits;
  if (budget !== undefined) after.budget = completeBudget(budget);
  else if (request.removeBudget) delete after.budget;
  if (queue !== undefined) after.queue = completeQueue(queue);
  else if (request.removeQueue) delete after.queue;
  if (!hasPrevious(key, nowMs)) {
    after.previousHash = new Uint8Array();
    after.previousExpiresAtMs = 0n;
  }
  return after;
}
