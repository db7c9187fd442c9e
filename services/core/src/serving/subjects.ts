import type { Limits, ModelEntry, RoutingTable } from '../catalog/index.ts';
import { type EmbeddingRequest, tokensOfItems } from '../embeddings/index.ts';
import type { Principal } from '../identity/index.ts';
import { costUsd } from '../ledger/index.ts';
import { type Demand, type LearnedOutput, nanoCost, type Subject } from '../limits/index.ts';
import type { Plan, PlanRequest } from '../routing/index.ts';

const hasLimit = (limits: Limits): boolean => Object.values(limits).some((limit) => limit !== null);

/** Subjects of a caller and a model are the same for every request until the configuration changes. */
const subjects = new WeakMap<RoutingTable, WeakMap<Principal, Map<string, readonly Subject[]>>>();

/** Whom a request is accounted to and who has a limit: its key, the key's group, the end user, the model asked for. */
export function subjectsOf(
  table: RoutingTable,
  principal: Principal,
  model: ModelEntry,
  user: string,
): readonly Subject[] {
  let byPrincipal = subjects.get(table);
  if (!byPrincipal) {
    byPrincipal = new WeakMap();
    subjects.set(table, byPrincipal);
  }
  let byModel = byPrincipal.get(principal);
  if (!byModel) {
    byModel = new Map();
    byPrincipal.set(principal, byModel);
  }
  let known = byModel.get(model.id);
  if (!known) {
    known = lastingSubjects(table, principal, model);
    byModel.set(model.id, known);
  }
  const { users } = table.limits;
  if (users === null || user === '') return known;
  return [...known, { kind: 'user', id: `${principal.id}:${user}`, name: user, limits: users, budget: null }];
}

/** Of a caller alone, whatever it asks for: its key and the key's group. */
export function subjectsOfCaller(table: RoutingTable, principal: Principal): readonly Subject[] {
  let known = callers.get(principal);
  if (known?.table !== table) {
    known = { table, subjects: lastingSubjects(table, principal, null) };
    callers.set(principal, known);
  }
  return known.subjects;
}

const callers = new WeakMap<Principal, { readonly table: RoutingTable; readonly subjects: readonly Subject[] }>();

function lastingSubjects({ limits }: RoutingTable, principal: Principal, model: ModelEntry | null): readonly Subject[] {
  const { id, name, budget, group } = principal;
  const list: Subject[] = [];
  if (hasLimit(principal.limits) || budget !== null)
    list.push({ kind: 'key', id, name, limits: principal.limits, budget });
  const ofGroup = group === '' ? undefined : limits.groups.get(group);
  if (ofGroup) list.push({ kind: 'group', id: group, name: group, limits: ofGroup.limits, budget: ofGroup.budget });
  const ofModel = model === null ? undefined : limits.models.find(({ pattern }) => matches(pattern, model.id));
  if (ofModel) {
    list.push({ kind: 'model', id: ofModel.pattern, name: ofModel.pattern, limits: ofModel.limits, budget: null });
  }
  return list;
}

const providers = new WeakMap<RoutingTable, Map<string, Subject>>();

/** A provider that has limits, as the subject of an attempt; null where it has none. */
export function providerSubject(table: RoutingTable, provider: string): Subject | null {
  const limits = table.limits.providers.get(provider);
  if (limits === undefined) return null;
  let known = providers.get(table);
  if (!known) {
    known = new Map();
    providers.set(table, known);
  }
  let subject = known.get(provider);
  if (!subject) {
    subject = { kind: 'provider', id: provider, name: provider, limits, budget: null };
    known.set(provider, subject);
  }
  return subject;
}

/** `*` stands for any run of characters. */
function matches(pattern: string, id: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === id;
  if (!id.startsWith(first)) return false;
  let at = first.length;
  const last = rest.pop() ?? '';
  for (const part of rest) {
    const found = id.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return id.length - last.length >= at && id.endsWith(last);
}

/** What a request is expected to use at most; what the client allows, else what its answers have been like. */
export function demandOf(
  { learnedOutput }: { readonly learnedOutput: LearnedOutput },
  principal: Principal,
  request: PlanRequest,
  plan: Plan,
  choices: number,
): Demand {
  const { promptTokens, maxOutputTokens } = request.features;
  const [first] = plan.attempts;
  const model = request.models[0]?.id ?? '';
  const most = first?.endpoint.maxOutputTokens || first?.model.maxOutputTokens || 0;
  const output = (maxOutputTokens ?? learnedOutput.guess(principal.id, model, most)) * choices;
  const cost =
    first === undefined || first.credentialType === 'byok'
      ? null
      : costUsd(
          { uncachedInput: promptTokens, cacheRead: null, cacheWrite: null, output, reasoning: null },
          first.endpoint.pricing,
        );
  return { tokens: promptTokens + output, money: cost === null ? 0 : nanoCost(cost) };
}

/** Of all items together; the plan is for the largest of them. */
export function demandOfEmbeddings(
  state: { readonly learnedOutput: LearnedOutput },
  principal: Principal,
  { items }: EmbeddingRequest,
  { request, plan }: { readonly request: PlanRequest; readonly plan: Plan },
): Demand {
  const features = { ...request.features, promptTokens: tokensOfItems(items) };
  return demandOf(state, principal, { ...request, features }, plan, 1);
}
